//! Many at once.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;

use crate::harness::{Mode, Program, USUAL, day, stay, text, unique};

pub async fn of_64_clients_on_the_same_nights_one_books_and_the_others_are_told_so(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    for _ in 0..5 {
        let free = program.single_unit(2).await;
        let body = stay(&free);
        let answers = join_all((0..64).map(|_| async { program.book(&guest, &unique(), &body).await })).await;
        let won = answers.iter().filter(|(status, _)| *status == 201).count();
        let lost = answers
            .iter()
            .filter(|(status, a)| *status == 409 && a["code"] == "DATES_TAKEN")
            .count();
        assert_eq!((won, lost), (1, 63), "{answers:?}");
    }
}

pub async fn adjacent_stays_both_succeed(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let (house, from, to) = program.single_unit(2).await;
    let middle = crate::harness::next_day(&from);
    program
        .booked(&guest, &stay(&(house, from, middle.clone())))
        .await;
    program.booked(&guest, &stay(&(house, middle, to))).await;
}

pub async fn the_same_key_makes_one_order_also_at_once_and_never_another_one(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(1).await;
    let key = unique();
    let body = stay(&free);
    let answers = join_all((0..16).map(|_| async { program.book(&guest, &key, &body).await })).await;
    let first = text(&answers[0].1, "sn");
    for (status, order) in &answers {
        assert_eq!(
            (status.as_u16(), order["sn"].as_str()),
            (201, Some(first.as_str())),
            "{order}"
        );
    }
    let mut other = body.clone();
    other["checkIn"] = json!(day(59));
    let (status, problem) = program.book(&guest, &key, &other).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("IDEMPOTENCY_KEY_REUSED"))
    );
    // Another guest's same key is another key.
    let stranger = program.guest().await;
    assert_eq!(program.book(&stranger, &key, &body).await.0, 409);
    let (_, list) = program.get("/v1/orders", Some(&guest)).await;
    assert_eq!(list["orders"].as_array().unwrap().len(), 1);
}

pub async fn a_burst_of_64_clients_on_different_houses_and_routes_sees_no_server_error(mode: Mode) {
    let program = Arc::new(Program::alone(mode, USUAL).await);
    let guest = program.guest().await;
    let (_, page) = program.get("/v1/homestays?limit=100", None).await;
    let houses: Vec<i64> = page["homestays"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h["id"].as_i64().unwrap())
        .collect();
    let clients = (0..64i64).map(|client| {
        let (program, guest, houses) = (program.clone(), guest.clone(), houses.clone());
        async move {
            for round in 0..6i64 {
                let house = houses[usize::try_from(client).unwrap() % houses.len()];
                let from = day(20 + client + round * 3);
                let body = stay(&(house, from.clone(), crate::harness::next_day(&from)));
                let (booked, answer) = program.book(&guest, &unique(), &body).await;
                assert!(booked == 201 || booked == 409, "{booked} {answer}");
                let (read, answer) = program.get("/v1/orders?limit=5", Some(&guest)).await;
                assert_eq!(read, 200, "{answer}");
            }
        }
    });
    join_all(clients).await;
}

/// What the calendar says is taken is what orders hold, whenever clients hang up.
pub async fn a_connection_dropped_at_any_moment_of_a_create_leaves_order_and_hold_agreeing(mode: Mode) {
    use tokio::io::AsyncWriteExt;
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let (house, first, _) = program.single_unit(31).await;
    let address = program.base.strip_prefix("http://").unwrap().to_owned();
    let mut date = first.clone();
    for delay_us in (0..30u64).map(|n| n * 150) {
        let next = crate::harness::next_day(&date);
        let body = stay(&(house, date, next.clone())).to_string();
        let request = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {guest}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // The moment is the subject here: nothing else can be awaited.
        tokio::time::sleep(std::time::Duration::from_micros(delay_us)).await;
        drop(stream);
        date = next;
    }
    // One more that is waited for: what was begun before it is under way or done.
    let last = crate::harness::next_day(&date);
    program.booked(&guest, &stay(&(house, date, last.clone()))).await;
    let differing = async || {
        let free = program.free(house, &first, &last).await;
        let (_, list) = program.get("/v1/orders?limit=100", Some(&guest)).await;
        let orders = list["orders"].as_array().unwrap().clone();
        let nights = std::iter::successors(Some(first.clone()), |date| Some(crate::harness::next_day(date)));
        let differing: Vec<String> = nights
            .zip(free)
            .filter(|(night, free)| {
                (*free == 0) != orders.iter().any(|order| order["checkIn"] == json!(night))
            })
            .map(|(night, _)| night)
            .collect();
        (differing, orders.len())
    };
    let agree = async {
        let mut agreed = 0;
        while agreed < 5 {
            let (nights, orders) = differing().await;
            agreed = if nights.is_empty() && orders > 0 {
                agreed + 1
            } else {
                0
            };
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    if tokio::time::timeout(crate::harness::PATIENCE * 3, agree)
        .await
        .is_err()
    {
        panic!(
            "nights without their order, or orders without their nights: {:?}",
            differing().await
        );
    }
}
