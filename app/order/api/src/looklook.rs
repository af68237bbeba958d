use axum::Router;
use axum::extract::State;
use axum::routing::post;
use homestay_error::{Code, Error};
use homestay_http::{ApiResult, AuthUser, Envelope, IdempotencyKey, Json, envelope, page_size};
use homestay_proto::order as pb;
use homestay_rpc::request_for;
use homestay_types::yuan;
use serde::{Deserialize, Serialize};

use crate::Api;

/// The routes under `/order/v1`.
pub fn looklook(api: Api) -> Router {
    Router::new()
        .route("/order/v1/homestayOrder/createHomestayOrder", post(create))
        .route("/order/v1/homestayOrder/userHomestayOrderList", post(list))
        .route("/order/v1/homestayOrder/userHomestayOrderDetail", post(detail))
        .with_state(api)
}

/// Route that an Idempotency-Key of this face belongs to.
const ROUTE: &str = "/order/v1/homestayOrder/createHomestayOrder";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody {
    homestay_id: i64,
    #[serde(default)]
    is_food: bool,
    live_start_time: i64,
    live_end_time: i64,
    live_people_num: i64,
    #[serde(default)]
    remark: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreatedView {
    order_sn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListBody {
    #[serde(default)]
    last_id: i64,
    page_size: Option<i64>,
    #[serde(default = "all_states")]
    trade_state: i64,
}

/// By habit of the reference's clients: of all states.
fn all_states() -> i64 {
    -99
}

#[derive(Deserialize)]
struct DetailBody {
    sn: String,
}

#[derive(Serialize)]
struct ListView {
    list: Vec<ItemView>,
}

/// An order in a list. Prices are yuan, times unix seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemView {
    id: i64,
    sn: String,
    title: String,
    sub_title: String,
    homestay_id: i64,
    cover: String,
    order_total_price: f64,
    create_time: i64,
    trade_state: i64,
    live_start_date: i64,
    live_end_date: i64,
    trade_code: String,
}

impl From<pb::OrderView> for ItemView {
    fn from(order: pb::OrderView) -> Self {
        Self {
            id: order.id,
            sn: order.sn,
            title: order.title,
            sub_title: order.sub_title,
            homestay_id: order.house_id,
            cover: order.cover,
            order_total_price: yuan(order.total_cents),
            create_time: order.created_at_ms / 1000,
            trade_state: order.trade_state,
            live_start_date: order.check_in_s,
            live_end_date: order.check_out_s,
            trade_code: order.trade_code,
        }
    }
}

/// An order alone. Prices are yuan, times unix seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DetailView {
    sn: String,
    user_id: i64,
    homestay_id: i64,
    title: String,
    sub_title: String,
    cover: String,
    info: String,
    food_info: String,
    food_price: f64,
    homestay_price: f64,
    market_homestay_price: f64,
    homestay_business_id: i64,
    homestay_user_id: i64,
    order_total_price: f64,
    create_time: i64,
    trade_state: i64,
    live_start_date: i64,
    live_end_date: i64,
    trade_code: String,
    food_total_price: f64,
    homestay_total_price: f64,
    remark: String,
    live_people_num: i64,
    need_food: i64,
    /// 0 until paid.
    pay_time: i64,
    pay_type: String,
}

impl From<pb::OrderView> for DetailView {
    fn from(order: pb::OrderView) -> Self {
        Self {
            sn: order.sn,
            user_id: order.user_id,
            homestay_id: order.house_id,
            title: order.title,
            sub_title: order.sub_title,
            cover: order.cover,
            info: order.info,
            food_info: order.food_info,
            food_price: yuan(order.food_cents),
            homestay_price: yuan(order.price_cents),
            market_homestay_price: yuan(order.market_cents),
            homestay_business_id: order.shop_id,
            homestay_user_id: order.host_id,
            order_total_price: yuan(order.total_cents),
            create_time: order.created_at_ms / 1000,
            trade_state: order.trade_state,
            live_start_date: order.check_in_s,
            live_end_date: order.check_out_s,
            trade_code: order.trade_code,
            food_total_price: yuan(order.meal_cents),
            homestay_total_price: yuan(order.room_cents),
            remark: order.remark,
            live_people_num: order.guests,
            need_food: i64::from(order.meals),
            pay_time: order.paid_at_ms / 1000,
            pay_type: order.pay_type,
        }
    }
}

async fn create(
    State(mut api): State<Api>,
    user: AuthUser,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateBody>,
) -> ApiResult<Envelope<CreatedView>> {
    let request = pb::CreateRequest {
        house_id: body.homestay_id,
        start_s: body.live_start_time,
        end_s: body.live_end_time,
        guests: body.live_people_num,
        meals: body.is_food,
        remark: body.remark,
        idempotency_key: key.unwrap_or_default(),
        route: ROUTE.to_owned(),
        ..Default::default()
    };
    let reply = api.orders.create(request_for(&user.actor(), request)).await;
    let order = reply
        .map_err(|status| in_our_words(status.into()))?
        .into_inner()
        .order
        .unwrap_or_default();
    Ok(envelope(CreatedView { order_sn: order.sn }))
}

async fn list(
    State(mut api): State<Api>,
    user: AuthUser,
    Json(body): Json<ListBody>,
) -> ApiResult<Envelope<ListView>> {
    let request = pb::ListRequest {
        last_id: body.last_id,
        limit: page_size(body.page_size)?,
        trade_state: body.trade_state,
    };
    let reply = api.orders.list(request_for(&user.actor(), request)).await?;
    let list = reply.into_inner().orders.into_iter().map(Into::into).collect();
    Ok(envelope(ListView { list }))
}

async fn detail(
    State(mut api): State<Api>,
    user: AuthUser,
    Json(body): Json<DetailBody>,
) -> ApiResult<Envelope<DetailView>> {
    let request = pb::GetRequest {
        sn: body.sn,
        without_steps: true,
    };
    let order = api.orders.get(request_for(&user.actor(), request)).await?;
    let order = order.into_inner();
    // This face knows no hosts' eyes (contract.md §1.3).
    if order.host_id == user.id && order.user_id != user.id {
        return Err(Error::new(Code::OrderNotFound).into());
    }
    Ok(envelope(order.into()))
}

/// Fields have other names in this face.
fn in_our_words(error: Error) -> Error {
    let name = match error.field_name() {
        Some("guests") => "livePeopleNum",
        Some("checkIn") => "liveStartTime",
        Some("checkOut") => "liveEndTime",
        Some("meals") => "isFood",
        _ => return error,
    };
    let theirs = error.field_name().unwrap_or_default();
    let message = match error.message().strip_prefix(theirs) {
        Some(what) => format!("{name}{what}"),
        None => error.message().to_owned(),
    };
    Error::with(error.code(), message).field(name)
}
