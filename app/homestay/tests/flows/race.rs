//! Payments that race with the expiry of their order, while processes are killed: every captured one ends as a stay or goes
//! back, never both and never neither.
//!
//! A few dozen usually; `cargo xtask prove payments` makes it 2,000.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::check::{rows, settled};
use crate::harness::{Mode, Place, Program, Start, day, next_day, unique};

const SOON: Start = Start {
    close_after: "1s",
    sample: true,
};
/// Guests at the same time.
const GUESTS: usize = 16;
/// How far before and after its order's expiry a payment is made, in milliseconds.
const AROUND: std::ops::Range<i64> = -350..200;

/// Buttons that are to be pressed, how many of them before the next kill, and how many payments must be captured by it: who
/// presses after the expiry finds the page closed.
fn size() -> (usize, usize, i64) {
    if homestay_testkit::full_size() {
        (4_400, 150, 2_000)
    } else {
        (60, 20, 12)
    }
}

pub async fn payments_around_expiry_are_confirmed_or_refunded_whatever_is_killed(mode: Mode) {
    let (wanted, between_kills, at_least) = size();
    let place = Place::new(mode, SOON).await;
    let made = Arc::new(AtomicUsize::new(0));
    let nights = Arc::new(AtomicUsize::new(0));
    let mut kills = 0;
    while made.load(Ordering::Relaxed) < wanted {
        let program = Arc::new(place.start(SOON).await);
        let until = (made.load(Ordering::Relaxed) + between_kills).min(wanted);
        let guests = join_all((0..GUESTS).map(|_| guest(&program, &made, &nights, until)));
        let kill = async {
            while made.load(Ordering::Relaxed) < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // The others are in the middle of something.
        tokio::select! {
            _ = guests => {}
            () = kill => {}
        }
        Arc::into_inner(program).expect("only ours").kill(kills).await;
        kills += 1;
    }

    let program = place.start(SOON).await;
    settled(&place).await;
    assert!(program.stop().await, "ends cleanly");
    place.audit();
    let [captured, confirmed, refunded, both, neither] = counts(&place).await;
    println!(
        "{mode:?}: {wanted} buttons pressed within {AROUND:?} ms of the expiry, {kills} kills: {captured} payments captured, \
         {confirmed} confirmed, {refunded} refunded, {both} both, {neither} neither"
    );
    assert_eq!((both, neither), (0, 0));
    assert_eq!(confirmed + refunded, captured);
    assert!(
        captured >= at_least && confirmed > 0 && refunded > 0,
        "every fate was met"
    );
}

/// Books and pays until so many payments are made.
async fn guest(program: &Program, made: &AtomicUsize, nights: &AtomicUsize, until: usize) -> Option<()> {
    let account = json!({ "mobile": crate::harness::mobile(), "password": "correct horse" });
    let session = post(program, "/v1/users", None, account).await?;
    let token = session["accessToken"].as_str()?.to_owned();
    let houses = program
        .http
        .get(format!("{}/v1/homestays?limit=100", program.base));
    let houses: Value = houses.send().await.ok()?.json().await.ok()?;
    let houses = houses["homestays"].as_array()?.clone();
    while made.load(Ordering::Relaxed) < until {
        let n = nights.fetch_add(1, Ordering::Relaxed);
        let house = houses[n % houses.len()]["id"].as_i64()?;
        let from = day(i64::try_from(20 + n / houses.len()).ok()?);
        let stay = json!({ "homestayId": house, "checkIn": from, "checkOut": next_day(&from), "guests": 1 });
        // Some houses do not sell some nights.
        let Some(order) = post(program, "/v1/orders", Some(&token), stay).await else {
            continue;
        };
        let Some(pay_before) = order["payBefore"].as_str() else {
            continue;
        };
        let body = json!({ "orderSn": order["sn"] });
        let Some(payment) = post(program, "/v1/payments", Some(&token), body).await else {
            continue;
        };
        let Some(page) = payment["payUrl"].as_str() else {
            continue;
        };
        // A fifth is captured by the provider after the order has closed, whenever the button was pressed.
        let button = if n.is_multiple_of(5) { "pay-late" } else { "pay" };
        until_about(pay_before).await?;
        let form = [("action", button)];
        let press = program.http.post(page).form(&form).send();
        // Some change their mind at the same moment, half of the late ones among them: their money goes back, if it comes.
        let cancel = async {
            if n.is_multiple_of(10) || n % 4 == 1 {
                let path = format!("/v1/orders/{}/cancel", order["sn"].as_str()?);
                post(program, &path, Some(&token), json!({})).await?;
            }
            Some(())
        };
        // Answers that are lost change nothing.
        let _ = futures::join!(press, cancel);
        made.fetch_add(1, Ordering::Relaxed);
    }
    Some(())
}

/// The moment is the subject: somewhere around the expiry.
async fn until_about(pay_before: &str) -> Option<()> {
    let expiry: jiff::Timestamp = pay_before.parse().ok()?;
    let left = expiry.as_millisecond() - homestay_clock::Clock::system().now_ms();
    let wait = left + rand::random_range(AROUND);
    tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))).await;
    Some(())
}

/// The answer if it is a good one.
async fn post(program: &Program, path: &str, token: Option<&str>, body: Value) -> Option<Value> {
    let mut request = program
        .http
        .post(format!("{}{path}", program.base))
        .header("idempotency-key", unique())
        .json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    answer.json().await.ok()
}

/// Of the charges that the provider captured: all; those whose order is confirmed by them; those that went back whole; both;
/// neither.
async fn counts(place: &Place) -> [i64; 5] {
    let sql = "SELECT COALESCE(o.state, '') || ' ' || CASE WHEN o.payment_sn = p.sn THEN 'own' ELSE 'other' END || ' ' \
               || CASE WHEN p.refunded_cents = p.amount_cents THEN 'back' ELSE 'here' END \
               FROM {payment}.sandbox_charge c LEFT JOIN {payment}.payment p ON p.sn = c.payment_sn \
               LEFT JOIN {order}.orders o ON o.sn = c.order_sn WHERE c.captured_at_ms > 0";
    let rows = rows(place, &[("charge", sql)]).await;
    let of = |stays: bool, back: bool| {
        let matching = rows
            .iter()
            .filter(|row| (row.contains("confirmed own"), row.ends_with(" back")) == (stays, back));
        i64::try_from(matching.count()).unwrap_or(i64::MAX)
    };
    [
        i64::try_from(rows.len()).unwrap_or(i64::MAX),
        of(true, false),
        of(false, true),
        of(true, true),
        of(false, false),
    ]
}
