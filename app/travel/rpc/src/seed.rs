use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Error, Result};
use homestay_proto::travel as pb;
use homestay_types::{MAX_SAFE_ID, day_number, parse_date, zone};

use crate::host;
use crate::house::{Day, House, Review, Shop};
use crate::rules::terms::{DEAR, Terms};
use crate::store;

/// Houses and shops of one call: one transaction, which others wait for.
const MANY: usize = 2_000;
/// Longest title, as in the reference's table, in characters.
const TITLE: usize = 64;

/// Everything of one call, checked.
#[derive(Default)]
struct Rows {
    shops: Vec<Shop>,
    houses: Vec<House>,
    days: Vec<(i64, Day)>,
    reviews: Vec<Review>,
    activities: Vec<(&'static str, i64, i64)>,
}

/// Writes houses, shops, calendars, reviews and lists by their own ids in one transaction. What is there already is left
/// as it is, so a run cut short can be repeated.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the row and field; nothing is written then.
pub(crate) async fn seed(db: &Db, clock: &Clock, request: pb::SeedRequest) -> Result<pb::SeedReply> {
    if request.houses.len() > MANY || request.shops.len() > MANY {
        return Err(Error::invalid("houses", format!("must be at most {MANY} a call")));
    }
    let now_ms = clock.now_ms();
    let mut rows = Rows::default();
    for (index, seed) in request.shops.into_iter().enumerate() {
        shop(&mut rows, seed).map_err(|(field, what)| wrong("shops", index, field, what))?;
    }
    for (index, seed) in request.houses.into_iter().enumerate() {
        house(&mut rows, seed, now_ms).map_err(|(field, what)| wrong("houses", index, field, what))?;
    }
    db.write(move |tx| {
        Box::pin(async move {
            let shops_created = store::seed::shops(tx, rows.shops).await?;
            let houses_created = store::seed::houses(tx, rows.houses).await?;
            store::seed::days(tx, rows.days).await?;
            store::seed::reviews(tx, rows.reviews).await?;
            store::seed::activities(tx, rows.activities).await?;
            Ok(pb::SeedReply {
                shops_created,
                houses_created,
            })
        })
    })
    .await
}

type Wrong = (&'static str, &'static str);

fn wrong(list: &str, index: usize, field: &str, what: &str) -> Error {
    Error::invalid(format!("{list}[{index}].{field}"), what)
}

fn ensure(holds: bool, field: &'static str, what: &'static str) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err((field, what)) }
}

fn id(field: &'static str, id: i64) -> Result<i64, Wrong> {
    ensure((1..MAX_SAFE_ID).contains(&id), field, "must be an id").map(|()| id)
}

fn title(text: &str) -> Result<(), Wrong> {
    let long = text.chars().count();
    ensure(
        (1..=TITLE).contains(&long),
        "title",
        "must have 1 to 64 characters",
    )
}

fn shop(rows: &mut Rows, seed: pb::SeedShop) -> Result<(), Wrong> {
    let shop = seed.shop.ok_or(("shop", "is not set"))?;
    title(&shop.title)?;
    let host_id = id("hostId", shop.host_id)?;
    if seed.good_rank > 0 {
        rows.activities.push(("good_host", host_id, seed.good_rank));
    }
    rows.shops.push(Shop {
        id: id("id", shop.id)?,
        host_id,
        title: shop.title,
        info: shop.info,
        boss_info: shop.boss_info,
        tags: shop.tags,
        cover: shop.cover,
        header_img: shop.header_img,
        open: shop.row_state == 1,
        star_tenths: 0,
        star_count: 0,
        sell_month: 0,
        person_consume_cents: 0,
    });
    Ok(())
}

fn house(rows: &mut Rows, seed: pb::SeedHouse, now_ms: i64) -> Result<(), Wrong> {
    let house = seed.house.ok_or(("house", "is not set"))?;
    let house_id = id("id", house.id)?;
    title(&house.title)?;
    ensure(
        (1..=100).contains(&house.people_num),
        "peopleNum",
        "must be 1 to 100",
    )?;
    ensure((1..=1000).contains(&house.units), "units", "must be 1 to 1000")?;
    ensure(
        (0..=100_000).contains(&house.meals_per_day),
        "mealsPerDay",
        "must be 0 to 100000",
    )?;
    ensure(
        (1..=DEAR).contains(&house.price_cents),
        "priceCents",
        "must be at least 1",
    )?;
    for (field, cents) in [
        ("foodCents", house.food_cents),
        ("marketCents", house.market_cents),
        ("weekendCents", house.weekend_cents),
    ] {
        ensure((0..=DEAR).contains(&cents), field, "must not be negative")?;
    }
    zone(&house.time_zone).map_err(|_| ("timeZone", "is not a known time zone"))?;
    ensure(
        house.currency.len() == 3 && house.currency.bytes().all(|b| b.is_ascii_uppercase()),
        "currency",
        "must be an ISO 4217 code",
    )?;
    let open_from = date("openFrom", &house.open_from)?;
    let open_until = date("openUntil", &house.open_until)?;
    ensure(
        open_from <= open_until,
        "openUntil",
        "must not be before openFrom",
    )?;
    for day in seed.days {
        ensure(
            (0..=DEAR).contains(&day.price_cents),
            "days",
            "must not be negative",
        )?;
        rows.days.push((
            house_id,
            Day {
                day: date("days", &day.date)?,
                price_cents: day.price_cents,
                blocked: day.blocked,
            },
        ));
    }
    for comment in seed.comments {
        rows.reviews.push(Review {
            id: id("comments", comment.id)?,
            house_id,
            user_id: id("comments", comment.user_id)?,
            content: comment.content,
            star_tenths: tenths(comment.star)?,
            created_at_ms: or_now(comment.created_at_ms, now_ms),
        });
    }
    if seed.recommended_rank > 0 {
        rows.activities
            .push(("recommended", house_id, seed.recommended_rank));
    }
    let terms = seed.rules.map_or(Ok(Terms::default()), host::terms)?;
    rows.houses.push(House {
        id: house_id,
        shop_id: id("shopId", house.shop_id)?,
        host_id: id("hostId", house.host_id)?,
        title: house.title,
        sub_title: house.sub_title,
        banner: house.banner,
        info: house.info,
        people_num: house.people_num,
        on_sale: house.row_state == 1,
        per_person: house.row_type == 1,
        food_info: house.food_info,
        food_cents: house.food_cents,
        price_cents: house.price_cents,
        market_cents: house.market_cents,
        weekend_cents: house.weekend_cents,
        city: house.city,
        time_zone: house.time_zone,
        currency: house.currency,
        units: house.units,
        meals_per_day: house.meals_per_day,
        open_from,
        open_until,
        star_tenths: 0,
        star_count: 0,
        created_at_ms: or_now(house.created_at_ms, now_ms),
        terms,
    });
    Ok(())
}

fn date(field: &'static str, text: &str) -> Result<i64, Wrong> {
    parse_date(text)
        .map(day_number)
        .map_err(|_| (field, "is not a date of the form YYYY-MM-DD"))
}

fn or_now(at_ms: i64, now_ms: i64) -> i64 {
    if at_ms == 0 { now_ms } else { at_ms }
}

fn tenths(star: f64) -> Result<i64, Wrong> {
    // Compared, not converted: there are only fifty-one.
    (0..=50i32)
        .find(|tenths| (f64::from(*tenths) / 10.0 - star).abs() < 0.05)
        .map(i64::from)
        .ok_or(("comments", "must have 0 to 5 stars"))
}
