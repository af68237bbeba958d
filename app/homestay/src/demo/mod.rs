//! `homestay demo`: a guest's day against a running system, over HTTP as any client would, told step by step.

mod client;
mod money;
mod private;

use std::time::Duration;

use homestay_clock::Clock;
use serde_json::{Value, json};

use client::{Api, expect, number, text};
use private::PrivateSystem;

/// An unpaid booking closes; longer than this is not waited for.
const WATCHABLE: Duration = Duration::from_secs(60);
/// Everything that happens by itself happens within this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// A booking's length.
const NIGHTS: i32 = 2;

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
    money::a_policy_refund(&api).await?;
    money::late_money_is_refunded(&api).await?;
    if pay_before_s <= WATCHABLE.as_secs().cast_signed() + 1 {
        closing_day(&api).await?;
    } else {
        say(&format!(
            "Unpaid bookings close here after about {} minutes: too long to watch. What follows is shown on a private \
             system of its own, where they close after 3 seconds.",
            (pay_before_s + 59) / 60
        ));
        private_closing_day().await?;
    }
    say("All as it should be.");
    Ok(())
}

/// The closing on a system of our own, which ends with it: also when a step fails or the demo is told to stop.
async fn private_closing_day() -> Result<(), String> {
    let stop = homestay_service::shutdown_signal();
    tokio::pin!(stop);
    let stopped = || "stopped before its end; the private system is gone".to_owned();
    let system = tokio::select! {
        system = PrivateSystem::start() => system?,
        () = &mut stop => return Err(stopped()),
    };
    let api = Api::new(&system.base);
    let shown = tokio::select! {
        shown = closing_day(&api) => shown,
        () = &mut stop => Err(stopped()),
    };
    system.stop().await;
    shown
}

/// Search, book, pay, see it paid, and see the nights refused to another. Seconds until an unpaid order of this system closes.
async fn paid_day(api: &Api) -> Result<i64, String> {
    let guest = register(api, "Lin").await?;
    say("Search, and book what is free");
    let (free, _, order) = book_free(api, &guest).await?;
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
    note(&format!(
        "{sn}, {} to pay by {pay_before}",
        cents(&order, "totalCents")?
    ));

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
    let (again, key, first) = book_free(api, &guest).await?;
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

/// What orders that close soon can show.
async fn closing_day(api: &Api) -> Result<(), String> {
    an_unpaid_booking_closes(api).await?;
    money::late_money_is_rescued(api).await
}

/// Book, do not pay, see it close, and see its nights free again.
async fn an_unpaid_booking_closes(api: &Api) -> Result<(), String> {
    let guest = register(api, "Hua").await?;
    say("Book, and do not pay");
    let (free, _, order) = book_free(api, &guest).await?;
    let sn = text(&order, "sn")?;
    expect(
        !is_free(api, &free).await?,
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
    while !is_free(api, &free).await? {
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

/// Finds nights and books them: the nights, the Idempotency-Key, and the order.
async fn book_free(api: &Api, guest: &str) -> Result<(Free, String, Value), String> {
    for _ in 0..5 {
        let free = find(api).await?;
        note(&format!("{:?} from {} to {}", free.title, free.from, free.to));
        let key = homestay_clock::secret_token();
        let answer = api.book(guest, &key, &free.body()).await?;
        if answer.status != 409 || answer.body["code"] != "DATES_TAKEN" {
            return Ok((free, key, answer.created()?));
        }
        note("somebody else was faster; other nights then");
    }
    Err("expected to book free nights, but others were faster five times".to_owned())
}

/// A house and nights on which it has exactly one free unit, found through search and calendar.
async fn find(api: &Api) -> Result<Free, String> {
    // Steps of two through an odd number of days come to every day once.
    const DAYS: i32 = 377;
    let today = Clock::system().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |ahead: i32| today.saturating_add(jiff::Span::new().days(ahead));
    // Another corner of the calendar each time, so that repeated days do not crowd.
    let begin = rand::random_range(0..DAYS);
    for step in 0..DAYS {
        let ahead = 2 + (begin + 2 * step) % DAYS;
        let (from, to) = (day(ahead), day(ahead + NIGHTS));
        let path = format!("/v1/homestays?checkIn={from}&checkOut={to}&guests=1&limit=50");
        let page = api.get(&path, None).await?.ok()?;
        let houses = page["homestays"]
            .as_array()
            .ok_or_else(|| format!("expected a list \"homestays\" in {page}"))?;
        for house in houses {
            let free = Free {
                house: number(house, "id")?,
                title: text(house, "title")?,
                from: from.to_string(),
                to: to.to_string(),
            };
            let nights = calendar(api, &free).await?;
            if nights
                .iter()
                .all(|night| night["open"] == true && night["freeUnits"] == 1)
            {
                note(&format!("→ GET {path}: {} houses", houses.len()));
                return Ok(free);
            }
        }
    }
    Err(format!(
        "no house has {NIGHTS} nights with exactly one free unit ahead; `homestay seed` makes more houses"
    ))
}

/// Its nights in the house's calendar.
async fn calendar(api: &Api, free: &Free) -> Result<Vec<Value>, String> {
    let path = format!(
        "/v1/homestays/{}/calendar?from={}&to={}",
        free.house, free.from, free.to
    );
    let calendar = api.get(&path, None).await?.ok()?;
    match calendar["days"].as_array() {
        Some(days) if i32::try_from(days.len()) == Ok(NIGHTS) => Ok(days.clone()),
        _ => Err(format!(
            "expected {NIGHTS} days in the calendar, but got {calendar}"
        )),
    }
}

/// Whether a unit is free on each of its nights.
async fn is_free(api: &Api, free: &Free) -> Result<bool, String> {
    let nights = calendar(api, free).await?;
    Ok(nights
        .iter()
        .all(|night| night["freeUnits"].as_i64().is_some_and(|units| units > 0)))
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

/// An amount of an object that has a currency.
fn cents(of: &Value, field: &str) -> Result<String, String> {
    let cents = number(of, field)?;
    Ok(format!(
        "{}.{:02} {}",
        cents / 100,
        cents % 100,
        text(of, "currency")?
    ))
}

fn say(line: &str) {
    println!("* {line}");
}

fn note(line: &str) {
    println!("    {line}");
}
