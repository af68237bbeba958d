//! Rules, owner blocks, and many who want the same nights; what was sold is counted by SQL afterwards.
//!
//! A small load usually; `cargo xtask prove nights` makes it 64 clients in 200 rounds, and 100,000 attempts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::check::rows;
use crate::harness::{Mode, Place, Program, USUAL, day, next_day, stay, text, unique};

/// Clients that ask at the same time.
const CLIENTS: usize = 64;
/// Tries of one booking, where a fleet is overloaded.
const TRIES: usize = 150;
/// Studios over the quay, of the sample data.
const STUDIOS: (i64, i64) = (26, 50);
/// Nights of them that are fought over, and how far ahead they begin.
const NIGHTS: i64 = 30;
const AHEAD: i64 = 200;

/// Rounds on one identical range, attempts on random ones.
fn size() -> (usize, i64) {
    if homestay_testkit::full_size() {
        (200, 100_000)
    } else {
        (3, 600)
    }
}

/// The demo's host of house 2, which has four rooms.
async fn host(program: &Program) -> String {
    let account = json!({ "mobile": "13800000002", "password": "homestay-demo" });
    let (status, session) = program.post("/v1/sessions", None, account).await;
    assert_eq!(status, 201, "{session}");
    text(&session, "accessToken")
}

pub async fn a_host_sets_rules_and_keeps_nights_and_guests_are_told_why(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let (host, guest) = (host(&program).await, program.guest().await);
    let path = "/v1/homestays/2/rules";
    let (status, before) = program.get(path, Some(&host)).await;
    assert_eq!(status, 200, "{before}");
    let put = async |token: &str, body: Value| program.call(Method::PUT, path, Some(token), Some(body)).await;
    assert_eq!(
        put(&guest, json!({})).await.0,
        404,
        "a guest's eyes see no house of theirs"
    );

    let mut rules = before.clone();
    rules["minNights"] = json!(2);
    rules["discounts"] = json!([{ "nights": 2, "percent": 100 }]);
    let (status, kept) = put(&host, rules.clone()).await;
    assert_eq!((status.as_u16(), &kept), (200, &rules));

    let (from, to) = (day(300), next_day(&day(300)));
    let availability = async |from: &str, to: &str| {
        let query = format!("checkIn={from}&checkOut={to}&guests=1&explain=true");
        let (status, answer) = program
            .get(&format!("/v1/homestays/2/availability?{query}"), None)
            .await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let short = availability(&from, &to).await;
    assert_eq!(
        (
            &short["available"],
            &short["refusals"][0]["rule"],
            &short["refusals"][0]["date"]
        ),
        (&json!(false), &json!("MIN_NIGHTS"), &json!(from)),
        "{short}"
    );
    let (status, refused) = program
        .book(&guest, &unique(), &stay(&(2, from.clone(), to.clone())))
        .await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("DATES_CLOSED")));
    let told = refused["detail"].as_str().unwrap_or_default();
    assert!(told.contains("MIN_NIGHTS") && told.contains(&from), "{refused}");

    // All four rooms are kept by the owner.
    let until = next_day(&to);
    let mut blocks = Vec::new();
    for _ in 0..4 {
        let body = json!({ "from": from, "until": until, "note": "repairs" });
        let (status, block) = program.post("/v1/homestays/2/blocks", Some(&host), body).await;
        assert_eq!(status, 201, "{block}");
        blocks.push(block["id"].as_i64().expect("an id"));
    }
    let kept = availability(&from, &until).await;
    assert_eq!(kept["refusals"][0]["rule"], "OWNER_BLOCK", "{kept}");
    let body = stay(&(2, from.clone(), until.clone()));
    let (status, refused) = program.book(&guest, &unique(), &body).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (409, &json!("DATES_TAKEN")),
        "{refused}"
    );
    for id in blocks {
        let path = format!("/v1/homestays/2/blocks/{id}");
        assert_eq!(
            program.call(Method::DELETE, &path, Some(&host), None).await.0,
            204
        );
    }
    // Two nights are free of charge now: the quote says so.
    let free = availability(&from, &until).await;
    assert_eq!(
        (&free["available"], &free["quote"]["totalCents"]),
        (&json!(true), &json!(0)),
        "{free}"
    );
    assert_eq!(put(&host, before).await.0, 200);
}

/// What came of attempts to book.
#[derive(Default)]
struct Tally {
    booked: AtomicUsize,
    taken: AtomicUsize,
    /// "Come again" (`OVERLOADED`) of a fleet that is busy; repeated with the same key.
    again: AtomicUsize,
    nights: AtomicUsize,
}

impl Tally {
    fn read(count: &AtomicUsize) -> usize {
        count.load(Ordering::Relaxed)
    }

    /// Books once, and says whether it was done. Any answer but 201 and 409 `DATES_TAKEN` is a failure, and so is a fleet that
    /// is overloaded for good; a failure that would pass is none the less one.
    async fn book(&self, program: &Program, token: &str, body: &Value, nights: usize) -> bool {
        let key = unique();
        for _ in 0..TRIES {
            let answer = program
                .http
                .post(format!("{}/v1/orders", program.base))
                .bearer_auth(token)
                .header("idempotency-key", &key)
                .json(body)
                .send()
                .await
                .expect("an answer");
            let status = answer.status().as_u16();
            let order: Value = answer.json().await.expect("JSON");
            match (status, order["code"].as_str()) {
                (201, _) => {
                    self.booked.fetch_add(1, Ordering::Relaxed);
                    self.nights.fetch_add(nights, Ordering::Relaxed);
                    return true;
                }
                (409, Some("DATES_TAKEN")) => {
                    self.taken.fetch_add(1, Ordering::Relaxed);
                    return false;
                }
                (503, Some("OVERLOADED")) if program.admins.len() > 1 => {
                    self.again.fetch_add(1, Ordering::Relaxed);
                    let pause = rand::random_range(200..600);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                _ => panic!("{status} {order}"),
            }
        }
        panic!("overloaded {TRIES} times: {body}");
    }
}

/// Deadlocks that Postgres had to end in the fleet's database so far.
async fn deadlocks(place: &Place, mode: Mode) -> Vec<String> {
    if mode == Mode::Embedded {
        return Vec::new();
    }
    rows(
        place,
        &[(
            "deadlocks",
            "SELECT CAST(deadlocks AS TEXT) FROM pg_stat_database WHERE datname = current_database()",
        )],
    )
    .await
}

pub async fn no_night_is_sold_twice_however_many_want_it(mode: Mode) {
    let (rounds, attempts) = size();
    let place = Place::new(mode, USUAL).await;
    let program = place.start(USUAL).await;
    let tally = Tally::default();
    let deadlocks_before = deadlocks(&place, mode).await;

    let mut guest = program.guest().await;
    for round in 0..rounds {
        if round % 20 == 19 {
            // Tokens are short-lived.
            guest = program.guest().await;
        }
        let free = program.single_unit(2).await;
        let body = stay(&free);
        let asks = (0..CLIENTS).map(|_| tally.book(&program, &guest, &body, 2));
        let won = join_all(asks).await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1, "round {round}: {body}");
    }
    println!(
        "{mode:?}: {rounds} rounds of {CLIENTS} clients on one range: {} booked, {} refused as taken, {} told to come again",
        Tally::read(&tally.booked),
        Tally::read(&tally.taken),
        Tally::read(&tally.again)
    );

    let random = Tally::default();
    let mut left = attempts;
    while left > 0 {
        let part = left.min(5_000);
        left -= part;
        let guest = program.guest().await;
        stream::iter(0..part)
            .for_each_concurrent(CLIENTS, |_| {
                let (program, guest, random) = (&program, &guest, &random);
                async move {
                    let nights = rand::random_range(1..=5i64);
                    let from = AHEAD + rand::random_range(0..=NIGHTS - nights);
                    let body = stay(&(STUDIOS.0, day(from), day(from + nights)));
                    let nights = usize::try_from(nights).expect("a few");
                    random.book(program, guest, &body, nights).await;
                }
            })
            .await;
    }
    let sold = Tally::read(&random.nights);
    println!(
        "{mode:?}: {attempts} attempts on random ranges over {} units x {NIGHTS} nights: {} booked ({sold} nights), {} refused \
         as taken, {} told to come again",
        STUDIOS.1,
        Tally::read(&random.booked),
        Tally::read(&random.taken),
        Tally::read(&random.again)
    );

    let found = overlaps(&place).await;
    println!("{mode:?}: the SQL check finds {} overlaps", found.len());
    assert_eq!(found, [""; 0]);
    let stored = rows(
        &place,
        &[(
            "nights",
            "SELECT CAST(COUNT(*) AS TEXT) FROM {travel}.night WHERE house_id = 26",
        )],
    )
    .await;
    assert_eq!(stored, [format!("nights: {sold}")], "as many as the answers said");

    if mode == Mode::Distributed {
        // A session that has nothing to do tells what it counted within ten seconds.
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    assert_eq!(deadlocks(&place, mode).await, deadlocks_before, "no deadlock");
}

/// By what orders say, and by the check that travel-rpc's tests prove to see what is wrong: without key and guard it finds
/// overlaps.
async fn overlaps(place: &Place) -> Vec<String> {
    rows(
        place,
        &[
            (
                "orders overlap",
                "SELECT a.sn || ' and ' || b.sn FROM {order}.orders a JOIN {order}.orders b ON b.house_id = a.house_id \
                 AND b.unit = a.unit AND b.sn > a.sn AND b.check_in_day < a.check_out_day \
                 AND a.check_in_day < b.check_out_day WHERE a.state IN ('awaiting_payment', 'confirmed') \
                 AND b.state IN ('awaiting_payment', 'confirmed')",
            ),
            ("sold twice", homestay_testkit::SOLD_TWICE),
        ],
    )
    .await
}
