//! Register, book, pay: on both faces.

use serde_json::json;

use crate::harness::{Mode, Program, USUAL, stay, text, unique};

pub async fn a_guest_books_and_pays_and_gets_a_check_in_code(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(2).await;

    let (status, order) = program.book(&guest, &unique(), &stay(&free)).await;
    assert_eq!(
        (status.as_u16(), &order["state"], &order["nights"]),
        (201, &json!("awaiting_payment"), &json!(2))
    );
    assert_eq!(order["checkInCode"], json!(null));
    assert_eq!(program.free(free.0, &free.1, &free.2).await, [0, 0]);
    let sn = text(&order, "sn");

    let url = program.pay_url(&guest, &sn).await;
    assert_eq!(
        program.pay_url(&guest, &sn).await,
        url,
        "a second call returns the same payment"
    );
    assert_eq!(program.press(&url, "pay").await, 200);
    let paid = program.until(&guest, &sn, "confirmed").await;
    assert_eq!(text(&paid, "checkInCode").len(), 8);
    assert!(paid["paidAt"].is_string(), "{paid}");
    let steps: Vec<&str> = paid["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|s| s["name"].as_str())
        .collect();
    assert_eq!(
        steps[..4],
        ["Scheduling", "Pre-Processing", "Processing", "Post-Processing"]
    );

    // Guest and host are told, and the order is complete.
    let told = async {
        loop {
            let (_, order) = program.get(&format!("/v1/orders/{sn}"), Some(&guest)).await;
            if order["steps"]
                .as_array()
                .unwrap()
                .iter()
                .any(|step| step["name"] == "Completed")
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, told)
        .await
        .expect("told in time");
    assert!(program.stop().await, "ends cleanly");
}

pub async fn the_looklook_face_does_the_same(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let mobile = crate::harness::mobile();
    let account = json!({ "mobile": mobile, "password": "correct horse" });
    let (status, answer) = program
        .post("/usercenter/v1/user/register", None, account.clone())
        .await;
    assert_eq!(
        (status.as_u16(), &answer["code"], &answer["msg"]),
        (200, &json!(200), &json!("OK"))
    );
    let (_, answer) = program.post("/usercenter/v1/user/login", None, account).await;
    let token = text(&answer["data"], "accessToken");

    let (house, from, to) = program.single_unit(2).await;
    let seconds = |date: &str| {
        let zone = homestay_types::zone("Asia/Shanghai").unwrap();
        homestay_types::midnight_s(date.parse().unwrap(), &zone)
    };
    let body = json!({ "homestayId": house, "isFood": false, "liveStartTime": seconds(&from) + 50_000,
        "liveEndTime": seconds(&to) + 40_000, "livePeopleNum": 1, "remark": "late arrival" });
    let (status, answer) = program
        .post("/order/v1/homestayOrder/createHomestayOrder", Some(&token), body)
        .await;
    assert_eq!(status, 200, "{answer}");
    let sn = text(&answer["data"], "orderSn");

    let pay = json!({ "orderSn": sn, "serviceType": "homestayOrder" });
    let (status, answer) = program
        .post("/payment/v1/thirdPayment/thirdPaymentWxPay", Some(&token), pay)
        .await;
    assert_eq!(status, 200, "{answer}");
    for field in ["appid", "nonceStr", "paySign", "package", "timestamp", "signType"] {
        assert!(answer["data"][field].is_string(), "{field} in {answer}");
    }
    assert_eq!(program.press(&text(&answer["data"], "payUrl"), "pay").await, 200);
    program.until(&token, &sn, "confirmed").await;

    let detail = json!({ "sn": sn });
    let (_, answer) = program
        .post(
            "/order/v1/homestayOrder/userHomestayOrderDetail",
            Some(&token),
            detail,
        )
        .await;
    let order = &answer["data"];
    assert_eq!(
        (&order["tradeState"], &order["liveStartDate"]),
        (&json!(1), &json!(seconds(&from)))
    );
    assert_eq!(text(order, "tradeCode").len(), 8);
    assert!(order["payTime"].as_i64().unwrap() > 1_700_000_000, "{order}");
    let list = json!({ "lastId": 0, "pageSize": 20, "tradeState": 1 });
    let (_, answer) = program
        .post(
            "/order/v1/homestayOrder/userHomestayOrderList",
            Some(&token),
            list,
        )
        .await;
    assert_eq!(answer["data"]["list"][0]["sn"], json!(sn));
    assert!(answer["data"]["list"][0]["id"].is_i64());
}

pub async fn a_declined_payment_leaves_the_order_payable(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(1).await;
    let sn = program.booked(&guest, &stay(&free)).await;

    let first = program.pay_url(&guest, &sn).await;
    assert_eq!(program.press(&first, "fail").await, 200);
    let second = async {
        loop {
            let url = program.pay_url(&guest, &sn).await;
            if url != first {
                return url;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let second = tokio::time::timeout(crate::harness::PATIENCE, second)
        .await
        .expect("a new payment");
    assert_eq!(program.press(&second, "pay").await, 200);
    program.until(&guest, &sn, "confirmed").await;
}
