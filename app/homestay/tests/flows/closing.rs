//! Unpaid orders close; money that comes late ends as a stay or a refund.

use crate::harness::{Mode, Program, Start, stay};

const SOON: Start = Start {
    close_after: "1s",
    sample: true,
};

pub async fn an_unpaid_order_closes_and_its_nights_are_free_again(mode: Mode) {
    let program = Program::start(mode, SOON).await;
    let guest = program.guest().await;
    let free = program.single_unit(2).await;
    let sn = program.booked(&guest, &stay(&free)).await;
    assert_eq!(program.free(free.0, &free.1, &free.2).await, [0, 0]);

    let order = program.until(&guest, &sn, "cancelled").await;
    assert!(
        order["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["name"] == "Failed"),
        "{order}"
    );
    until_free(&program, &free).await;
    let (status, _) = program
        .post("/v1/payments", Some(&guest), serde_json::json!({ "orderSn": sn }))
        .await;
    assert_eq!(status, 409);
}

pub async fn a_cancelled_order_gives_its_nights_back_at_once(mode: Mode) {
    let program = Program::start(mode, crate::harness::USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(2).await;
    let sn = program.booked(&guest, &stay(&free)).await;

    let path = format!("/v1/orders/{sn}/cancel");
    let other = program.guest().await;
    assert_eq!(
        program.post(&path, Some(&other), serde_json::json!({})).await.0,
        404
    );
    let (status, order) = program.post(&path, Some(&guest), serde_json::json!({})).await;
    assert_eq!(
        (status.as_u16(), order["state"].as_str()),
        (200, Some("cancelled")),
        "{order}"
    );
    assert_eq!(program.free(free.0, &free.1, &free.2).await, [1, 1]);
    assert_eq!(
        program.post(&path, Some(&guest), serde_json::json!({})).await.0,
        200,
        "doing it again changes nothing"
    );
}

pub async fn late_money_takes_the_nights_again_when_they_are_free(mode: Mode) {
    let program = Program::start(mode, SOON).await;
    let guest = program.guest().await;
    let free = program.single_unit(1).await;
    let sn = program.booked(&guest, &stay(&free)).await;
    let url = program.pay_url(&guest, &sn).await;
    assert_eq!(program.press(&url, "pay-late").await, 200);

    let order = program.until(&guest, &sn, "confirmed").await;
    assert!(
        order["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["attempt"] == 2),
        "{order}"
    );
    assert_eq!(program.free(free.0, &free.1, &free.2).await, [0]);
}

pub async fn late_money_is_refunded_after_the_guest_cancelled(mode: Mode) {
    let program = Program::start(mode, crate::harness::USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(1).await;
    let sn = program.booked(&guest, &stay(&free)).await;
    let url = program.pay_url(&guest, &sn).await;
    assert_eq!(program.press(&url, "pay-late").await, 200);
    let (status, _) = program
        .post(
            &format!("/v1/orders/{sn}/cancel"),
            Some(&guest),
            serde_json::json!({}),
        )
        .await;
    assert_eq!(status, 200);

    program.until(&guest, &sn, "refunded").await;
    until_free(&program, &free).await;
}

async fn until_free(program: &Program, (house, from, to): &(i64, String, String)) {
    let wait = async {
        while program.free(*house, from, to).await.contains(&0) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, wait)
        .await
        .expect("free again");
}
