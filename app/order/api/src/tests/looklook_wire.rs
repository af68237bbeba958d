use serde_json::json;

use super::*;

const CREATE: &str = "POST /order/v1/homestayOrder/createHomestayOrder";
const LIST: &str = "POST /order/v1/homestayOrder/userHomestayOrderList";
const DETAIL: &str = "POST /order/v1/homestayOrder/userHomestayOrderDetail";
const BODY: &str = r#"{"homestayId":7,"isFood":true,"liveStartTime":1796054400,"liveEndTime":1796140800,"livePeopleNum":2,"remark":"late"}"#;

#[tokio::test]
async fn create_passes_on_what_was_asked_and_answers_with_the_number() {
    let fake = Fake::default();
    let answer = call(&fake, CREATE, "key-1", BODY).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        json!({"code": 200, "msg": "OK", "data": {"orderSn": SN}})
    );
    let want = pb::CreateRequest {
        house_id: 7,
        start_s: 1_796_054_400,
        end_s: 1_796_140_800,
        guests: 2,
        meals: true,
        remark: "late".into(),
        idempotency_key: "key-1".into(),
        route: "/order/v1/homestayOrder/createHomestayOrder".into(),
        ..Default::default()
    };
    assert_eq!(*fake.asked.lock().unwrap(), [format!("user/41/guest {want:?}")]);
}

#[tokio::test]
async fn food_and_remark_are_optional_and_everything_else_is_named_when_it_is_missing_or_wrong() {
    let fake = Fake::default();
    let short = r#"{"homestayId":7,"liveStartTime":1,"liveEndTime":2,"livePeopleNum":1}"#;
    assert_eq!(call(&fake, CREATE, "", short).await.status, 200);
    for field in ["homestayId", "liveStartTime", "liveEndTime", "livePeopleNum"] {
        let mut body: Value = serde_json::from_str(short).unwrap();
        body.as_object_mut().unwrap().remove(field);
        let missing = call(&fake, CREATE, "", &body.to_string()).await;
        assert_eq!(missing.status, 400);
        let want = format!("参数错误 ,field \"{field}\" is not set");
        assert_eq!(missing.body, json!({"code": 100_002, "msg": want}));
        body[field] = json!("seven");
        let wrong = call(&fake, CREATE, "", &body.to_string()).await;
        assert_eq!(wrong.status, 400);
        assert!(
            wrong.body["msg"].as_str().unwrap().contains(field),
            "{}",
            wrong.body
        );
    }
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn refusals_name_fields_as_this_face_knows_them_and_keep_code_and_message() {
    let fake = Fake::default();
    let cases = [
        ("guests", "livePeopleNum must be at least 1"),
        ("checkIn", "liveStartTime must be at least 1"),
        ("checkOut", "liveEndTime must be at least 1"),
        ("meals", "isFood must be at least 1"),
        ("remark", "remark must be at least 1"),
        ("liveEndTime", "liveEndTime must be at least 1"),
    ];
    for (field, message) in cases {
        *fake.refusal.lock().unwrap() = Some(Error::invalid(field, "must be at least 1"));
        let answer = call(&fake, CREATE, "", BODY).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body["msg"], format!("参数错误 ,{message}"));
    }
    for (code, status, number) in [
        (Code::DatesTaken, 409, 102_003),
        (Code::HouseNotFound, 404, 102_001),
        (Code::IdempotencyKeyReused, 422, 100_015),
        (Code::Unavailable, 503, 100_010),
    ] {
        *fake.refusal.lock().unwrap() = Some(Error::new(code));
        let answer = call(&fake, CREATE, "", BODY).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body, json!({"code": number, "msg": code.message()}));
    }
}

#[tokio::test]
async fn the_list_has_ids_and_yuan_and_is_never_null() {
    let fake = Fake::default();
    let empty = call(&fake, LIST, "", "{}").await;
    assert_eq!(
        empty.body,
        json!({"code": 200, "msg": "OK", "data": {"list": []}})
    );

    let fake = Fake {
        orders: 30,
        ..Fake::default()
    };
    let answer = call(&fake, LIST, "", r#"{"lastId":3,"pageSize":1,"tradeState":0}"#).await;
    assert_eq!(
        answer.body["data"],
        json!({"list": [{
            "id": 2, "sn": SN, "title": "Bamboo House", "subTitle": "by the river", "homestayId": 7, "cover": "a.jpg",
            "orderTotalPrice": 159.0, "createTime": 1_795_219_200, "tradeState": 0, "liveStartDate": 1_796_054_400,
            "liveEndDate": 1_796_140_800, "tradeCode": "",
        }]})
    );
    let all = call(&fake, LIST, "", "{}").await;
    assert_eq!(all.body["data"]["list"].as_array().unwrap().len(), 20);
    let asked = fake.asked.lock().unwrap().clone();
    let want = |last_id, limit, trade_state| {
        let request = pb::ListRequest {
            last_id,
            limit,
            trade_state,
        };
        format!("user/41/guest {request:?}")
    };
    assert_eq!(asked, [want(3, 1, 0), want(0, 20, -99)]);

    let negative = call(&fake, LIST, "", r#"{"pageSize":-1}"#).await;
    assert_eq!(negative.status, 400);
    assert_eq!(negative.body["msg"], "参数错误 ,pageSize must not be negative");
}

#[tokio::test]
async fn the_detail_has_all_fields_and_shows_code_and_payment_once_paid() {
    let waiting = call(&Fake::default(), DETAIL, "", &json!({"sn": SN}).to_string()).await;
    let mut want = json!({
        "sn": SN, "userId": 41, "homestayId": 7, "title": "Bamboo House", "subTitle": "by the river", "cover": "a.jpg",
        "info": "quiet", "foodInfo": "noodles", "foodPrice": 15.5, "homestayPrice": 128.0, "marketHomestayPrice": 150.0,
        "homestayBusinessId": 5, "homestayUserId": 6, "orderTotalPrice": 159.0, "createTime": 1_795_219_200,
        "tradeState": 0, "liveStartDate": 1_796_054_400, "liveEndDate": 1_796_140_800, "tradeCode": "",
        "foodTotalPrice": 31.0, "homestayTotalPrice": 128.0, "remark": "late", "livePeopleNum": 2, "needFood": 1,
        "payTime": 0, "payType": "",
    });
    assert_eq!((waiting.status, &waiting.body["data"]), (200, &want));

    let fake = Fake {
        paid: true,
        ..Fake::default()
    };
    let paid = call(&fake, DETAIL, "", &json!({"sn": SN}).to_string()).await;
    want["tradeState"] = json!(1);
    want["tradeCode"] = json!("7KQ2M9XA");
    want["payTime"] = json!(1_795_219_260);
    want["payType"] = json!("SANDBOX");
    assert_eq!(paid.body["data"], want);
}

#[tokio::test]
async fn unknown_orders_are_404_and_strangers_401_in_the_envelope() {
    let unknown = call(&Fake::default(), DETAIL, "", r#"{"sn":"HSO1"}"#).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.body, json!({"code": 103_001, "msg": "order no exists"}));
    for route in [CREATE, LIST, DETAIL] {
        for token in [None, Some("broken".to_owned())] {
            let answer = send(&Fake::default(), route, "", "{}", token).await;
            assert_eq!((answer.status, &answer.body["code"]), (401, &json!(100_003)));
        }
    }
}
