use axum::Router;
use axum::extract::State;
use axum::routing::post;
use homestay_http::{ApiResult, Envelope, Json, envelope, page_size};
use homestay_proto::common::Empty;
use homestay_proto::travel::{
    Comment, GetHouseRequest, GetShopRequest, House, ListCommentsRequest, ListHousesRequest,
    ListShopsRequest, Shop, list_houses_request::Kind,
};
use homestay_proto::usercenter::Profile;
use homestay_types::yuan;
use serde::{Deserialize, Serialize};

use crate::people::{profiles, profiles_if_any};
use crate::{Api, open};

/// The routes under `/travel/v1`; the spelling of the shops' is the reference's.
pub fn looklook(api: Api) -> Router {
    Router::new()
        .route("/travel/v1/homestay/homestayList", post(homestay_list))
        .route("/travel/v1/homestay/businessList", post(business_list))
        .route("/travel/v1/homestay/guessList", post(guess_list))
        .route("/travel/v1/homestay/homestayDetail", post(homestay_detail))
        .route("/travel/v1/homestayBussiness/goodBoss", post(good_boss))
        .route(
            "/travel/v1/homestayBussiness/homestayBussinessList",
            post(shop_list),
        )
        .route(
            "/travel/v1/homestayBussiness/homestayBussinessDetail",
            post(shop_detail),
        )
        .route("/travel/v1/homestayComment/commentList", post(comment_list))
        .with_state(api)
}

/// How many houses "guess what you like" shows.
const GUESSES: i64 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    page: Option<i64>,
    page_size: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BusinessBody {
    #[serde(default)]
    last_id: i64,
    page_size: Option<i64>,
    homestay_business_id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastBody {
    #[serde(default)]
    last_id: i64,
    page_size: Option<i64>,
}

#[derive(Deserialize)]
struct NoBody {}

#[derive(Deserialize)]
struct IdBody {
    id: i64,
}

#[derive(Serialize)]
struct ListView<T> {
    list: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HomestayView {
    id: i64,
    title: String,
    sub_title: String,
    banner: String,
    info: String,
    people_num: i64,
    homestay_business_id: i64,
    user_id: i64,
    row_state: i64,
    row_type: i64,
    food_info: String,
    food_price: f64,
    homestay_price: f64,
    market_homestay_price: f64,
}

impl From<House> for HomestayView {
    fn from(house: House) -> Self {
        Self {
            id: house.id,
            title: house.title,
            sub_title: house.sub_title,
            banner: house.banner,
            info: house.info,
            people_num: house.people_num,
            homestay_business_id: house.shop_id,
            user_id: house.host_id,
            row_state: house.row_state,
            row_type: house.row_type,
            food_info: house.food_info,
            food_price: yuan(house.food_cents),
            homestay_price: yuan(house.price_cents),
            market_homestay_price: yuan(house.market_cents),
        }
    }
}

#[derive(Serialize)]
struct HomestayDetailView {
    homestay: HomestayView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BossView {
    id: i64,
    user_id: i64,
    nickname: String,
    avatar: String,
    info: String,
    rank: i64,
}

impl BossView {
    /// `rank` counts from 1 among good hosts; 0 for one who is not asked about as such.
    fn new(user_id: i64, profile: Option<Profile>, rank: i64) -> Self {
        let profile = profile.unwrap_or_default();
        Self {
            id: user_id,
            user_id,
            nickname: profile.nickname,
            avatar: profile.avatar,
            info: profile.info,
            rank,
        }
    }
}

#[derive(Serialize)]
struct ShopDetailView {
    boss: BossView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BusinessView {
    id: i64,
    title: String,
    info: String,
    tags: String,
    cover: String,
    star: f64,
    /// There are no favourites.
    is_fav: i64,
    header_img: String,
    sell_month: i64,
    person_consume: f64,
}

impl From<Shop> for BusinessView {
    fn from(shop: Shop) -> Self {
        Self {
            id: shop.id,
            title: shop.title,
            info: shop.info,
            tags: shop.tags,
            cover: shop.cover,
            star: shop.star,
            is_fav: 0,
            header_img: shop.header_img,
            sell_month: shop.sell_month,
            person_consume: yuan(shop.person_consume_cents),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommentView {
    id: i64,
    homestay_id: i64,
    content: String,
    star: f64,
    user_id: i64,
    nickname: String,
    avatar: String,
}

impl CommentView {
    fn new(comment: Comment, profile: Option<Profile>) -> Self {
        let profile = profile.unwrap_or_default();
        Self {
            id: comment.id,
            homestay_id: comment.house_id,
            content: comment.content,
            star: comment.star,
            user_id: comment.user_id,
            nickname: profile.nickname,
            avatar: profile.avatar,
        }
    }
}

async fn houses(api: &mut Api, request: ListHousesRequest) -> ApiResult<Envelope<ListView<HomestayView>>> {
    let houses = api.travel.list_houses(open(request)).await?.into_inner().houses;
    let list = houses.into_iter().map(HomestayView::from).collect();
    Ok(envelope(ListView { list }))
}

async fn homestay_list(
    State(mut api): State<Api>,
    Json(body): Json<PageBody>,
) -> ApiResult<Envelope<ListView<HomestayView>>> {
    let limit = page_size(body.page_size)?;
    let page = body.page.unwrap_or(1).max(1);
    let request = ListHousesRequest {
        kind: Kind::Recommended.into(),
        offset: (page - 1).saturating_mul(limit),
        limit,
        ..ListHousesRequest::default()
    };
    houses(&mut api, request).await
}

async fn business_list(
    State(mut api): State<Api>,
    Json(body): Json<BusinessBody>,
) -> ApiResult<Envelope<ListView<HomestayView>>> {
    let request = ListHousesRequest {
        kind: Kind::Shop.into(),
        shop_id: body.homestay_business_id,
        last_id: body.last_id,
        limit: page_size(body.page_size)?,
        ..ListHousesRequest::default()
    };
    houses(&mut api, request).await
}

async fn guess_list(
    State(mut api): State<Api>,
    Json(NoBody {}): Json<NoBody>,
) -> ApiResult<Envelope<ListView<HomestayView>>> {
    let request = ListHousesRequest {
        kind: Kind::Newest.into(),
        limit: GUESSES,
        ..ListHousesRequest::default()
    };
    houses(&mut api, request).await
}

async fn homestay_detail(
    State(mut api): State<Api>,
    Json(IdBody { id }): Json<IdBody>,
) -> ApiResult<Envelope<HomestayDetailView>> {
    let house = api
        .travel
        .get_house(open(GetHouseRequest { id }))
        .await?
        .into_inner();
    Ok(envelope(HomestayDetailView {
        homestay: house.into(),
    }))
}

async fn good_boss(
    State(mut api): State<Api>,
    Json(NoBody {}): Json<NoBody>,
) -> ApiResult<Envelope<ListView<BossView>>> {
    let ids = api
        .travel
        .list_good_hosts(open(Empty {}))
        .await?
        .into_inner()
        .user_ids;
    let mut profiles = profiles(&mut api, ids.clone()).await?;
    let list = ids
        .into_iter()
        .zip(1..)
        .map(|(id, rank)| BossView::new(id, profiles.remove(&id), rank))
        .collect();
    Ok(envelope(ListView { list }))
}

async fn shop_list(
    State(mut api): State<Api>,
    Json(body): Json<LastBody>,
) -> ApiResult<Envelope<ListView<BusinessView>>> {
    let request = ListShopsRequest {
        last_id: body.last_id,
        limit: page_size(body.page_size)?,
    };
    let shops = api.travel.list_shops(open(request)).await?.into_inner().shops;
    let list = shops.into_iter().map(BusinessView::from).collect();
    Ok(envelope(ListView { list }))
}

async fn shop_detail(
    State(mut api): State<Api>,
    Json(IdBody { id }): Json<IdBody>,
) -> ApiResult<Envelope<ShopDetailView>> {
    let shop = api
        .travel
        .get_shop(open(GetShopRequest { id }))
        .await?
        .into_inner();
    let good = api
        .travel
        .list_good_hosts(open(Empty {}))
        .await?
        .into_inner()
        .user_ids;
    let rank = good
        .into_iter()
        .zip(1..)
        .find(|(host, _)| *host == shop.host_id)
        .map_or(0, |(_, rank)| rank);
    let profile = profiles(&mut api, vec![shop.host_id])
        .await?
        .remove(&shop.host_id);
    let mut boss = BossView::new(shop.host_id, profile, rank);
    if !shop.boss_info.is_empty() {
        boss.info = shop.boss_info;
    }
    Ok(envelope(ShopDetailView { boss }))
}

async fn comment_list(
    State(mut api): State<Api>,
    Json(body): Json<LastBody>,
) -> ApiResult<Envelope<ListView<CommentView>>> {
    let request = ListCommentsRequest {
        house_id: 0,
        last_id: body.last_id,
        limit: page_size(body.page_size)?,
    };
    let comments = api
        .travel
        .list_comments(open(request))
        .await?
        .into_inner()
        .comments;
    let profiles = profiles_if_any(&mut api, comments.iter().map(|comment| comment.user_id).collect()).await;
    let list = comments
        .into_iter()
        .map(|comment| {
            let profile = profiles.get(&comment.user_id).cloned();
            CommentView::new(comment, profile)
        })
        .collect();
    Ok(envelope(ListView { list }))
}
