//! Sample data: the houses of the demo, and more of the same kind in bulk. Pure and deterministic: a repeated run makes the
//! same ids and mobiles, so that seeding it again changes nothing.
//!
//! Accounts get their ids from the user centre. Until then shops, houses and reviews name them by their index in
//! [`SampleData::users`]; [`SampleData::seed_request`] puts the ids in.

mod bulk;
mod city;
mod dali;
mod days;
mod hangzhou;
mod lijiang;
mod people;
mod reviews;
mod xiamen;

use homestay_proto::travel::{Comment, House, SeedHouse, SeedRequest, SeedShop, Shop};
use homestay_proto::usercenter::SeedUser;
use homestay_types::{date_of_number, day_number};
use jiff::civil::Date;

use city::{City, HouseSpec};

pub use bulk::{BATCH, bulk};
pub use people::{ACCOUNTS, Account, PASSWORD};

/// How far ahead the calendars of sample houses are open.
pub const OPEN_DAYS: i64 = 400;
/// Where all sample houses stand.
const ZONE: &str = "Asia/Shanghai";
const CURRENCY: &str = "CNY";
/// 2026-01-01T00:00:00+08:00: sample rows are made from here on, so that they do not depend on the day of the run.
const BORN_MS: i64 = 1_767_196_800_000;

/// Accounts, and what is theirs.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleData {
    /// Accounts, to be made first; those of [`ACCOUNTS`] come first among the demo's.
    pub users: Vec<SeedUser>,
    /// Shops; `host_id` is an index in `users`.
    pub shops: Vec<SeedShop>,
    /// Houses; `host_id` and the reviews' `user_id` are indices in `users`.
    pub houses: Vec<SeedHouse>,
}

impl SampleData {
    /// The request for travel-rpc, with the ids that the user centre answered for `users`, in their order.
    ///
    /// # Panics
    /// If there are fewer ids than users.
    #[must_use]
    pub fn seed_request(self, ids: &[i64]) -> SeedRequest {
        assert!(ids.len() >= self.users.len(), "an id for each account");
        let id = |index: i64| usize::try_from(index).ok().and_then(|i| ids.get(i).copied());
        let put = |slot: &mut i64| *slot = id(*slot).expect("sample data names accounts it has");
        let (mut shops, mut houses) = (self.shops, self.houses);
        for shop in shops.iter_mut().filter_map(|seed| seed.shop.as_mut()) {
            put(&mut shop.host_id);
        }
        for seed in &mut houses {
            if let Some(house) = &mut seed.house {
                put(&mut house.host_id);
            }
            for comment in &mut seed.comments {
                put(&mut comment.user_id);
            }
        }
        SeedRequest { shops, houses }
    }
}

/// The demo: 28 houses of eight hosts in four cities, with calendars open for [`OPEN_DAYS`] from `today`.
#[must_use]
pub fn demo(today: Date) -> SampleData {
    let users = people::users();
    let mut shops = Vec::new();
    let mut houses = Vec::new();
    for city in [hangzhou::CITY, lijiang::CITY, dali::CITY, xiamen::CITY] {
        let first_shop = shops.len();
        for spec in city.shops {
            let id = count(shops.len()) + 1;
            // The host of the n-th shop is the n-th host.
            let host = people::host_index(shops.len());
            shops.push(SeedShop {
                good_rank: spec.good_rank,
                shop: Some(Shop {
                    id,
                    title: spec.title.to_owned(),
                    info: spec.info.to_owned(),
                    tags: spec.tags.to_owned(),
                    cover: picture("shop", id, "cover"),
                    header_img: picture("shop", id, "header"),
                    host_id: count(host),
                    boss_info: spec.boss_info.to_owned(),
                    row_state: 1,
                    ..Shop::default()
                }),
            });
        }
        for spec in city.houses {
            let id = count(houses.len()) + 1;
            let shop = first_shop + spec.shop;
            let house = plain_house(
                id,
                &city,
                spec,
                count(shop) + 1,
                count(people::host_index(shop)),
                today,
            );
            houses.push(SeedHouse {
                recommended_rank: spec.recommended_rank,
                days: days::own_days(&house, today),
                comments: comments_of(id),
                rules: None,
                house: Some(house),
            });
        }
    }
    SampleData { users, shops, houses }
}

fn plain_house(id: i64, city: &City, spec: &HouseSpec, shop_id: i64, host: i64, today: Date) -> House {
    let pictures: Vec<String> = ["cover", "room", "view"]
        .iter()
        .map(|name| picture("house", id, name))
        .collect();
    House {
        id,
        title: spec.title.to_owned(),
        sub_title: spec.sub_title.to_owned(),
        banner: pictures.join(","),
        info: spec.info.to_owned(),
        people_num: spec.people_num,
        shop_id,
        host_id: host,
        row_state: i64::from(spec.on_sale),
        row_type: i64::from(spec.per_person),
        food_info: spec.food_info.to_owned(),
        food_cents: spec.food_yuan * 100,
        price_cents: spec.yuan * 100,
        market_cents: spec.market_yuan * 100,
        weekend_cents: spec.weekend_yuan * 100,
        city: city.name.to_owned(),
        time_zone: ZONE.to_owned(),
        currency: CURRENCY.to_owned(),
        units: spec.units,
        meals_per_day: spec.meals_per_day,
        open_from: today.to_string(),
        open_until: date_of_number(day_number(today) + OPEN_DAYS).to_string(),
        star: 0.0,
        created_at_ms: BORN_MS + id * 60_000,
        ..House::default()
    }
}

fn comments_of(house_id: i64) -> Vec<Comment> {
    reviews::REVIEWS
        .iter()
        .zip(1..)
        .filter(|((house, ..), _)| *house == house_id)
        .map(|((_, reviewer, star, content), id)| Comment {
            id,
            house_id,
            user_id: count(people::reviewer_index(*reviewer)),
            content: (*content).to_owned(),
            star: *star,
            created_at_ms: BORN_MS + id * 86_400_000,
        })
        .collect()
}

/// A placeholder: example.com is reserved for such (RFC 2606).
fn picture(kind: &str, id: i64, name: &str) -> String {
    format!("https://img.example.com/{kind}/{id}/{name}.jpg")
}

fn count(n: usize) -> i64 {
    i64::try_from(n).expect("sample data is small")
}
