use serde_json::{Value, json};

use super::fakes::FakeUsers;
use super::{app, app_with, call};

async fn post(path: &str, body: &str) -> (u16, Value) {
    call(
        app(FakeUsers { up: true }),
        &format!("/travel/v1/{path}"),
        Some(body),
    )
    .await
}

fn ok(data: &Value) -> (u16, Value) {
    (200, json!({ "code": 200, "msg": "OK", "data": data }))
}

fn homestay(id: i64, title: &str) -> Value {
    json!({
        "id": id, "title": title, "subTitle": "under the roof", "banner": "https://a/1.jpg, https://a/2.jpg",
        "info": "steep stairs", "peopleNum": 2, "homestayBusinessId": 3, "userId": 9, "rowState": 1, "rowType": 1,
        "foodInfo": "porridge", "foodPrice": 28.5, "homestayPrice": 388.99, "marketHomestayPrice": 460.0,
    })
}

#[tokio::test]
async fn lists_of_homestays_ask_for_what_the_contract_says() {
    let cases = [
        (
            "homestay/homestayList",
            "{}",
            "RECOMMENDED shop 0 last 0 offset 0 limit 20",
        ),
        (
            "homestay/homestayList",
            r#"{"page":0,"pageSize":0}"#,
            "RECOMMENDED shop 0 last 0 offset 0 limit 20",
        ),
        (
            "homestay/homestayList",
            r#"{"page":3,"pageSize":10}"#,
            "RECOMMENDED shop 0 last 0 offset 20 limit 10",
        ),
        (
            "homestay/homestayList",
            r#"{"page":-5,"pageSize":500}"#,
            "RECOMMENDED shop 0 last 0 offset 0 limit 100",
        ),
        (
            "homestay/homestayList",
            r#"{"page":9223372036854775807,"pageSize":10}"#,
            "RECOMMENDED shop 0 last 0 offset 9223372036854775807 limit 10",
        ),
        (
            "homestay/businessList",
            r#"{"lastId":7,"pageSize":2,"homestayBusinessId":3}"#,
            "SHOP shop 3 last 7 offset 0 limit 2",
        ),
        (
            "homestay/businessList",
            r#"{"homestayBusinessId":3}"#,
            "SHOP shop 3 last 0 offset 0 limit 20",
        ),
        (
            "homestay/guessList",
            "{}",
            "NEWEST shop 0 last 0 offset 0 limit 5",
        ),
    ];
    for (path, body, want) in cases {
        assert_eq!(
            post(path, body).await,
            ok(&json!({ "list": [homestay(1, want)] })),
            "{path} {body}"
        );
    }
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let answer = post("homestay/businessList", r#"{"homestayBusinessId":404}"#).await;
    assert_eq!(answer, ok(&json!({ "list": [] })));
}

#[tokio::test]
async fn a_homestay_is_shown_and_an_unknown_one_is_not_found() {
    let answer = post("homestay/homestayDetail", r#"{"id":12}"#).await;
    assert_eq!(answer, ok(&json!({ "homestay": homestay(12, "Attic") })));
    let answer = post("homestay/homestayDetail", r#"{"id":404}"#).await;
    assert_eq!(
        answer,
        (404, json!({ "code": 102_001, "msg": "homestay no exists" }))
    );
}

#[tokio::test]
async fn with_the_old_statuses_an_unknown_one_has_the_same_fields_all_zero() {
    for (path, field) in [
        ("/travel/v1/homestay/homestayDetail", "homestay"),
        ("/travel/v1/homestayBussiness/homestayBussinessDetail", "boss"),
    ] {
        let ask = async |body: &str| call(app_with(FakeUsers { up: true }, true), path, Some(body)).await;
        let (found, nothing) = (ask(r#"{"id":7}"#).await, ask(r#"{"id":404}"#).await);
        assert_eq!((found.0, nothing.0), (200, 200), "{path}");
        let fields = |body: &Value| {
            body["data"][field]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(fields(&nothing.1), fields(&found.1), "{path}");
        assert_eq!(nothing.1["data"][field]["id"], 0, "{path}");
    }
}

#[tokio::test]
async fn good_bosses_have_names_ids_and_ranks_also_one_without_a_profile() {
    let boss = |id: i64, rank: i64| {
        json!({
            "id": id, "userId": id, "nickname": format!("N{id}"), "avatar": format!("A{id}"), "info": format!("I{id}"),
            "rank": rank,
        })
    };
    let nameless = json!({ "id": 7, "userId": 7, "nickname": "", "avatar": "", "info": "", "rank": 3 });
    let answer = post("homestayBussiness/goodBoss", "{}").await;
    assert_eq!(answer, ok(&json!({ "list": [boss(9, 1), boss(8, 2), nameless] })));

    let answer = post("homestayBussiness/homestayBussinessDetail", r#"{"id":3}"#).await;
    assert_eq!(answer, ok(&json!({ "boss": boss(8, 2) })));
    let (status, body) = post("homestayBussiness/homestayBussinessDetail", r#"{"id":404}"#).await;
    assert_eq!((status, &body["code"]), (404, &json!(102_007)));
}

#[tokio::test]
async fn shops_show_what_they_sell_and_what_a_guest_spends() {
    let answer = post(
        "homestayBussiness/homestayBussinessList",
        r#"{"lastId":9,"pageSize":3}"#,
    )
    .await;
    let shop = json!({
        "id": 3, "title": "last 9 limit 3", "info": "three houses", "tags": "lake,quiet", "cover": "https://a/c.jpg",
        "star": 4.4, "isFav": 0, "headerImg": "https://a/h.jpg", "sellMonth": 12, "personConsume": 123.45,
    });
    assert_eq!(answer, ok(&json!({ "list": [shop] })));
}

#[tokio::test]
async fn comments_have_names_and_are_shown_without_them_when_there_are_none_to_be_had() {
    let comment = |nickname: &str, avatar: &str| {
        json!({ "list": [{
            "id": 5, "homestayId": 1, "content": "last 0 limit 20", "star": 4.5, "userId": 8, "nickname": nickname,
            "avatar": avatar,
        }]})
    };
    let path = "/travel/v1/homestayComment/commentList";
    let answer = call(app(FakeUsers { up: true }), path, Some("{}")).await;
    assert_eq!(answer, ok(&comment("N8", "A8")));
    let answer = call(app(FakeUsers { up: false }), path, Some("{}")).await;
    assert_eq!(answer, ok(&comment("", "")));
    let bosses = "/travel/v1/homestayBussiness/goodBoss";
    let (status, body) = call(app(FakeUsers { up: false }), bosses, Some("{}")).await;
    assert_eq!((status, &body["code"]), (503, &json!(100_010)));
}

#[tokio::test]
async fn a_bad_body_is_answered_with_the_fields_name() {
    let cases = [
        (
            "homestay/homestayDetail",
            "{}",
            "参数错误 ,field \"id\" is not set",
        ),
        (
            "homestay/businessList",
            r#"{"lastId":1}"#,
            "参数错误 ,field \"homestayBusinessId\" is not set",
        ),
        (
            "homestay/homestayList",
            r#"{"pageSize":-1}"#,
            "参数错误 ,pageSize must not be negative",
        ),
        (
            "homestay/businessList",
            r#"{"pageSize":-1,"homestayBusinessId":1}"#,
            "参数错误 ,pageSize must not be negative",
        ),
        (
            "homestayComment/commentList",
            r#"{"pageSize":-1}"#,
            "参数错误 ,pageSize must not be negative",
        ),
        (
            "homestayBussiness/homestayBussinessList",
            r#"{"lastId":"7"}"#,
            "参数错误 ,field \"lastId\" has the wrong type: invalid type: string \"7\", expected i64",
        ),
        ("homestay/guessList", "{", "参数错误 ,body is not JSON"),
    ];
    for (path, body, want) in cases {
        assert_eq!(
            post(path, body).await,
            (400, json!({ "code": 100_002, "msg": want })),
            "{path} {body}"
        );
    }
}
