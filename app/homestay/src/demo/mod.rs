//! `homestay demo`: a guest's day against a running system, over HTTP as any client would, told step by step.

mod client;
mod private;

use std::time::Duration;

use homestay_clock::Clock;
use jiff::civil::Date;
use serde_json::{Value, json};

use client::{Api, expect, number, text};
use private::PrivateSystem;

/// An unpaid booking closes; longer than this is not waited for.
const WATCHABLE: Duration = Duration::from_secs(60);
/// Everything that happens by itself happens within this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// A booking's length.
const NIGHTS: usize = 2;

/// Nights of a house that nobody has.
struct Free {
    house: i64,
    title: String,
    from: String,
    to: String,
}

impl Free {
    fn body(&self) -> Value {
        json!({ "homestayId": self.house, "checkIn": self.from, "checkOut": self.to, "guests": 1 })
    }
}

/// Plays the day against `base`.
///
/// # Errors
/// A sentence: which step went otherwise than expected, what was expected and what came.
pub async fn run(base: &str) -> Result<(), String> {
    let base = base.trim_end_matches('/');
    say(&format!("A guest's day at {base}"));
    let api = Api::new(base);
    let pay_before_s = paid_day(&api).await?;
    if pay_before_s <= WATCHABLE.as_secs().cast_signed() + 1 {
        closing_day(&api).await?;
    } else {
        say(&format!(
            "Unpaid bookings close here after about {} minutes: too long to watch. The closing is shown on a private system \
             of its own, where they close after 3 seconds.",
            (pay_before_s + 59) / 60
        ));
        let system = PrivateSystem::start().await?;
        let shown = closing_day(&Api::new(&system.base)).await;
        system.stop().await;
        shown?;
    }
    say("All as it should be.");
    Ok(())
}

/// Search, book, pay, see it paid, and see the nights refused to another. Seconds until an unpaid order of this system closes.
async fn paid_day(api: &Api) -> Result<i64, String> {
    let guest = register(api, "Lin").await?;
    let free = find(api, 1).await?;
    say(&format!(
        "Book {:?} from {} to {}",
        free.title, free.from, free.to
    ));
    let order = book(api, &guest, &free).await?;
    let sn = text(&order, "sn")?;
    expect(
        order["state"] == "awaiting_payment",
        "the order awaits payment",
        &order,
    )?;
    expect(
        order["checkInCode"].is_null(),
        "there is no check-in code before the payment",
        &order,
    )?;
    let pay_before: jiff::Timestamp = text(&order, "payBefore")?
        .parse()
        .map_err(|_| format!("payBefore is no time: {order}"))?;
    let left = pay_before.as_second() - Clock::system().now_ms() / 1000;
    note(&format!("{sn}, {} to pay by {pay_before}", money(&order)?));

    say("Another guest tries the same nights");
    let other = register(api, "Mei").await?;
    let refused = api.post("/v1/orders", Some(&other), &free.body()).await?;
    expect(
        refused.status == 409 && refused.body["code"] == "DATES_TAKEN",
        "409 DATES_TAKEN",
        &refused.body,
    )?;
    note(&format!("refused: {}", text(&refused.body, "detail")?));

    say("Pay");
    let payment = api
        .post("/v1/payments", Some(&guest), &json!({ "orderSn": sn }))
        .await?
        .created()?;
    let pay_url = text(&payment, "payUrl")?;
    note(&format!("the pay page is {pay_url}"));
    let status = api.press(&pay_url, "pay").await?;
    expect(status == 200, "the pay page takes the payment", &json!(status))?;
    let paid = until(api, &guest, &sn, "confirmed").await?;
    note(&format!(
        "paid at {}, check-in code {}",
        text(&paid, "paidAt")?,
        text(&paid, "checkInCode")?
    ));
    for step in paid["steps"].as_array().into_iter().flatten() {
        note(&format!("step {}", text(step, "name")?));
    }

    say("The same key sent twice makes one booking");
    let again = find(api, 1).await?;
    let key = homestay_clock::secret_token();
    let first = api.book(&guest, &key, &again.body()).await?.created()?;
    let second = api.book(&guest, &key, &again.body()).await?.created()?;
    expect(
        first["sn"] == second["sn"],
        "the same order number both times",
        &json!([first["sn"], second["sn"]]),
    )?;
    let path = format!("/v1/orders/{}/cancel", text(&first, "sn")?);
    let cancelled = api.post(&path, Some(&guest), &json!({})).await?;
    expect(
        cancelled.body["state"] == "cancelled",
        "it can be cancelled while unpaid",
        &cancelled.body,
    )?;
    note(&format!("{}, cancelled again", text(&first, "sn")?));
    Ok(left)
}

/// Book, do not pay, see it close, and see its nights free again.
async fn closing_day(api: &Api) -> Result<(), String> {
    let guest = register(api, "Hua").await?;
    let free = find(api, 1).await?;
    say(&format!(
        "Book {:?} from {} to {}, and do not pay",
        free.title, free.from, free.to
    ));
    let order = book(api, &guest, &free).await?;
    let sn = text(&order, "sn")?;
    expect(
        free_nights(api, &free).await?.contains(&0),
        "its nights are taken",
        &json!(free.house),
    )?;
    let left = text(&order, "payBefore")?
        .parse::<jiff::Timestamp>()
        .map_or(0, |at| at.as_second() - Clock::system().now_ms() / 1000);
    note(&format!("{sn}, closes in about {left} s"));
    let closed = until(api, &guest, &sn, "cancelled").await?;
    expect(
        closed["cancelledBy"] == "timeout",
        "closed by the system",
        &closed["cancelledBy"],
    )?;
    let give_up = tokio::time::Instant::now() + PATIENCE;
    while free_nights(api, &free).await?.contains(&0) {
        expect(
            tokio::time::Instant::now() < give_up,
            "the nights are free again",
            &json!(free.house),
        )?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    note("closed, and its nights are free again");
    let late = api
        .post("/v1/payments", Some(&guest), &json!({ "orderSn": sn }))
        .await?;
    expect(late.status == 409, "it can no longer be paid", &late.body)?;
    note("it can no longer be paid");
    Ok(())
}

async fn register(api: &Api, nickname: &str) -> Result<String, String> {
    let mobile = format!("13{:09}", rand::random_range(0..1_000_000_000_u32));
    let account =
        json!({ "mobile": mobile, "password": homestay_clock::secret_token(), "nickname": nickname });
    let session = api.post("/v1/users", None, &account).await?.created()?;
    note(&format!("{nickname} registers as {mobile}"));
    text(&session, "accessToken")
}

async fn book(api: &Api, guest: &str, free: &Free) -> Result<Value, String> {
    api.book(guest, &homestay_clock::secret_token(), &free.body())
        .await?
        .created()
}

/// A house and nights on which exactly `units` units are free, found through search and calendar.
async fn find(api: &Api, units: i64) -> Result<Free, String> {
    let today = Clock::system().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    // A different corner of the calendar each time, so that repeated days do not crowd.
    let skip = i64::from(rand::random_range(2..200_u32));
    let day = |ahead: i64| -> Date { today.saturating_add(jiff::Span::new().days(ahead)) };
    for ahead in [skip, 2, 100, 200, 300] {
        let (from, to) = (day(ahead), day(ahead + 40));
        let mut cursor = String::new();
        for _ in 0..20 {
            let page = api
                .get(&format!("/v1/homestays?limit=50&guests=1&cursor={cursor}"), None)
                .await?
                .ok()?;
            let houses = page["homestays"].as_array().cloned().unwrap_or_default();
            for house in &houses {
                let id = number(house, "id")?;
                let path = format!("/v1/homestays/{id}/calendar?from={from}&to={to}");
                let calendar = api.get(&path, None).await?.ok()?;
                let days = calendar["days"].as_array().cloned().unwrap_or_default();
                let run = days
                    .windows(NIGHTS)
                    .find(|run| run.iter().all(|d| d["open"] == true && d["freeUnits"] == units));
                if let Some(run) = run {
                    let first: Date = text(&run[0], "date")?
                        .parse()
                        .map_err(|_| "a calendar's date is no date")?;
                    let last: Date = text(&run[NIGHTS - 1], "date")?
                        .parse()
                        .map_err(|_| "a calendar's date is no date")?;
                    let out = last.saturating_add(jiff::Span::new().days(1));
                    let title = text(house, "title")?;
                    return Ok(Free {
                        house: id,
                        title,
                        from: first.to_string(),
                        to: out.to_string(),
                    });
                }
            }
            match page["nextCursor"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut cursor),
                _ => break,
            }
        }
    }
    Err(format!(
        "no house has {NIGHTS} nights with exactly {units} free unit ahead; `homestay seed` makes more houses"
    ))
}

async fn free_nights(api: &Api, free: &Free) -> Result<Vec<i64>, String> {
    let path = format!(
        "/v1/homestays/{}/calendar?from={}&to={}",
        free.house, free.from, free.to
    );
    let calendar = api.get(&path, None).await?.ok()?;
    calendar["days"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|day| number(day, "freeUnits"))
        .collect()
}

/// Waits until the order is in `state`, which it reaches by itself.
async fn until(api: &Api, guest: &str, sn: &str, state: &str) -> Result<Value, String> {
    let give_up = tokio::time::Instant::now() + WATCHABLE + PATIENCE;
    loop {
        let order = api.get(&format!("/v1/orders/{sn}"), Some(guest)).await?.ok()?;
        if order["state"] == state {
            return Ok(order);
        }
        expect(
            tokio::time::Instant::now() < give_up,
            &format!("the order becomes {state}"),
            &order,
        )?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn money(order: &Value) -> Result<String, String> {
    let cents = number(order, "totalCents")?;
    Ok(format!(
        "{}.{:02} {}",
        cents / 100,
        cents % 100,
        text(order, "currency")?
    ))
}

fn say(line: &str) {
    println!("* {line}");
}

fn note(line: &str) {
    println!("    {line}");
}
