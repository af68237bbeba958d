//! Changing dates and guests of a booking: nights are swapped, and the difference is paid or given back.

use serde_json::{Value, json};

use crate::harness::{Mode, PATIENCE, Program, USUAL, next_day, stay, unique};

async fn change(program: &Program, guest: &str, sn: &str, body: &Value) -> (u16, Value) {
    let (status, answer) = program
        .post(&format!("/v1/orders/{sn}/changes"), Some(guest), body.clone())
        .await;
    (status.as_u16(), answer)
}

/// Waits until an order is so.
async fn until(program: &Program, guest: &str, sn: &str, so: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let (_, order) = program.get(&format!("/v1/orders/{sn}"), Some(guest)).await;
            if so(&order) {
                return order;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time")
}

pub async fn a_cheaper_stay_gives_the_difference_back_and_a_dearer_one_waits_for_it(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(4).await;
    let (house, from, to) = free.clone();
    let second = next_day(&from);
    let third = next_day(&second);
    let sn = program
        .booked(&guest, &stay(&(house, from.clone(), third.clone())))
        .await;
    let url = program.pay_url(&guest, &sn).await;
    assert_eq!(program.press(&url, "pay").await, 200);
    let booked = program.until(&guest, &sn, "confirmed").await;
    let total = booked["totalCents"].as_i64().expect("a total");

    // One night less.
    let body = json!({ "checkIn": from, "checkOut": second, "guests": 1 });
    let query = format!("checkIn={from}&checkOut={second}&guests=1");
    let (_, quote) = program
        .get(&format!("/v1/orders/{sn}/changes/quote?{query}"), Some(&guest))
        .await;
    let (status, changed) = change(&program, &guest, &sn, &body).await;
    assert_eq!(
        (status, &changed["change"]["state"]),
        (201, &json!("applied")),
        "{changed}"
    );
    let cheaper = changed["order"]["totalCents"].as_i64().expect("a total");
    assert!(cheaper <= total);
    // Where the policy keeps part of the difference, that is part of the price.
    for told in [&quote, &changed["change"]] {
        assert_eq!(
            (&told["totalCents"], &told["refundCents"], &told["feeCents"]),
            (&json!(cheaper), &json!(total - cheaper), &quote["feeCents"]),
            "{told}"
        );
    }
    assert_eq!(changed["order"]["refundCents"], total - cheaper);
    let free_now = async || program.free(house, &from, &to).await;
    until(&program, &guest, &sn, |order| order["state"] == "confirmed").await;
    assert_eq!(free_now().await, [0, 1, 1, 1]);

    // Four nights: they are held, and the booking stays what it was until they are paid.
    let body = json!({ "checkIn": from, "checkOut": to, "guests": 1 });
    let (status, changed) = change(&program, &guest, &sn, &body).await;
    assert_eq!(
        (status, &changed["change"]["state"]),
        (201, &json!("held")),
        "{changed}"
    );
    let due = changed["order"]["dueCents"].as_i64().expect("a due");
    assert!(due > 0);
    assert_eq!(changed["order"]["totalCents"], cheaper);
    assert_eq!(free_now().await, [0, 0, 0, 0]);
    let (status, refused) = change(
        &program,
        &guest,
        &sn,
        &json!({ "checkIn": second, "checkOut": to, "guests": 1 }),
    )
    .await;
    assert_eq!((status, &refused["code"]), (409, &json!("CHANGE_OPEN")));
    let url = program.pay_url(&guest, &sn).await;
    assert_eq!(program.press(&url, "pay").await, 200);
    let paid = until(&program, &guest, &sn, |order| order["checkOut"] == json!(to)).await;
    assert_eq!(
        (&paid["totalCents"], &paid["dueCents"], &paid["chargedCents"]),
        (&json!(cheaper + due), &json!(0), &json!(total + due)),
        "{paid}"
    );
    assert_eq!(free_now().await, [0, 0, 0, 0]);

    // Everything that is paid goes back, of both payments.
    let (_, preview) = program
        .get(&format!("/v1/orders/{sn}/cancellation"), Some(&guest))
        .await;
    assert_eq!(preview["chargedCents"], cheaper + due);
    let (status, cancelled) = program
        .post(&format!("/v1/orders/{sn}/cancel"), Some(&guest), json!({}))
        .await;
    assert_eq!(status, 200, "{cancelled}");
    let state = if preview["refundCents"] == 0 {
        "cancelled"
    } else {
        "refunded"
    };
    program.until(&guest, &sn, state).await;
    assert_eq!(free_now().await, [1, 1, 1, 1]);
}

pub async fn an_unpaid_booking_is_changed_and_paid_at_its_new_price(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let (house, from, to) = program.single_unit(3).await;
    let second = next_day(&from);
    let sn = program
        .booked(&guest, &stay(&(house, from.clone(), second)))
        .await;
    let old = program.pay_url(&guest, &sn).await;
    let key = unique();
    let body = json!({ "checkIn": from, "checkOut": to, "guests": 1 });
    let ask = async |body: &Value| {
        let response = program
            .http
            .post(format!("{}/v1/orders/{sn}/changes", program.base))
            .bearer_auth(&guest)
            .header("idempotency-key", &key)
            .json(body)
            .send()
            .await
            .expect("an answer");
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.expect("JSON"))
    };
    let (status, changed) = ask(&body).await;
    assert_eq!(
        (status, &changed["change"]["state"]),
        (201, &json!("applied")),
        "{changed}"
    );
    let (status, again) = ask(&body).await;
    assert_eq!((status, &again["change"]), (201, &changed["change"]), "{again}");
    let (status, other) = ask(&json!({ "checkIn": from, "checkOut": to, "guests": 2 })).await;
    assert_eq!((status, &other["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")));

    let url = program.pay_url(&guest, &sn).await;
    assert_ne!(url, old);
    assert_eq!(program.press(&url, "pay").await, 200);
    let paid = program.until(&guest, &sn, "confirmed").await;
    assert_eq!(paid["chargedCents"], changed["order"]["totalCents"]);
    assert_eq!(paid["nights"], 3);
    assert_eq!(program.free(house, &from, &to).await, [0, 0, 0]);
}

pub async fn nights_of_others_are_not_taken_by_a_change(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let (guest, other) = (program.guest().await, program.guest().await);
    let (house, from, to) = program.single_unit(2).await;
    let second = next_day(&from);
    let sn = program
        .booked(&guest, &stay(&(house, from.clone(), second.clone())))
        .await;
    let theirs = program
        .booked(&other, &stay(&(house, second.clone(), to.clone())))
        .await;
    let body = json!({ "checkIn": from, "checkOut": to, "guests": 1 });
    let (status, refused) = change(&program, &guest, &sn, &body).await;
    assert_eq!(
        (status, &refused["code"]),
        (409, &json!("DATES_TAKEN")),
        "{refused}"
    );
    let (_, order) = program.get(&format!("/v1/orders/{sn}"), Some(&guest)).await;
    assert_eq!(
        (&order["state"], &order["nights"]),
        (&json!("awaiting_payment"), &json!(1))
    );
    assert_eq!(program.free(house, &from, &to).await, [0, 0]);
    let (status, _) = program
        .post(&format!("/v1/orders/{theirs}/cancel"), Some(&other), json!({}))
        .await;
    assert_eq!(status, 200);
    let (status, changed) = change(&program, &guest, &sn, &body).await;
    assert_eq!(
        (status, &changed["order"]["nights"]),
        (201, &json!(2)),
        "{changed}"
    );
}
