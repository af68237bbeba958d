use homestay_proto::travel::{SeedHouse, SeedShop, Shop};
use jiff::civil::Date;

use super::city::City;
use super::{SampleData, count, dali, days, hangzhou, lijiang, people, picture, plain_house, xiamen};

/// Houses of one batch.
pub const BATCH: usize = 250;
/// Houses of one host.
const PER_HOST: usize = 10;
/// Where the ids of bulk houses and shops begin: above the demo's, below those that services make.
const FIRST_ID: i64 = 1_000_000;

/// `n` houses of the demo's kind in batches, ten to a host. The i-th is the same in every run, so that a larger `n` adds to
/// a smaller one.
pub fn bulk(n: usize, today: Date) -> impl Iterator<Item = SampleData> {
    (0..n)
        .step_by(BATCH)
        .map(move |from| batch(from, n.min(from + BATCH), today))
}

fn batch(from: usize, to: usize, today: Date) -> SampleData {
    let cities = [hangzhou::CITY, lijiang::CITY, dali::CITY, xiamen::CITY];
    // Batches begin with a host's first house.
    let (first_host, hosts) = (from / PER_HOST, (to - from).div_ceil(PER_HOST));
    let mut data = SampleData {
        users: Vec::with_capacity(hosts),
        shops: Vec::with_capacity(hosts),
        houses: Vec::with_capacity(to - from),
    };
    for index in 0..hosts {
        let host = first_host + index;
        // A host lives in one city.
        let city = &cities[host % cities.len()];
        data.users.push(people::user(
            format!("19{host:09}"),
            &format!("Host {host} of {}", city.name),
            "host",
        ));
        data.shops.push(shop(city, host, index));
    }
    for number in from..to {
        let index = number / PER_HOST - first_host;
        let city = &cities[(first_host + index) % cities.len()];
        data.houses
            .push(house(city, number, first_host + index, index, today));
    }
    data
}

fn shop(city: &City, host: usize, index: usize) -> SeedShop {
    let id = FIRST_ID + count(host);
    let like = &city.shops[host / 4 % city.shops.len()];
    SeedShop {
        good_rank: 0,
        shop: Some(Shop {
            id,
            title: format!("{} {host}", like.title),
            info: like.info.to_owned(),
            tags: like.tags.to_owned(),
            cover: picture("shop", id, "cover"),
            header_img: picture("shop", id, "header"),
            host_id: count(index),
            boss_info: like.boss_info.to_owned(),
            row_state: 1,
            ..Shop::default()
        }),
    }
}

fn house(city: &City, number: usize, host: usize, index: usize, today: Date) -> SeedHouse {
    let id = FIRST_ID + count(number);
    let like = &city.houses[number % city.houses.len()];
    let mut house = plain_house(id, city, like, FIRST_ID + count(host), count(index), today);
    house.title = format!("{} {number}", like.title);
    house.row_state = 1;
    for cents in [
        &mut house.price_cents,
        &mut house.weekend_cents,
        &mut house.market_cents,
    ] {
        // Spread over 80 to 120 percent, so that searches by price have something to choose from.
        *cents = *cents * (80 + count(number * 7 % 41)) / 100;
    }
    SeedHouse {
        recommended_rank: 0,
        // Most houses keep their usual price all year; the demo's shape is there in some.
        days: if number.is_multiple_of(10) {
            days::own_days(&house, today)
        } else {
            Vec::new()
        },
        comments: Vec::new(),
        rules: None,
        house: Some(house),
    }
}
