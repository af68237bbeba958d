use serde_json::{Value, json};

use super::fakes::FakeUsers;
use super::{app, call};
use crate::{Api, rest};

async fn get(path: &str) -> (u16, Value) {
    call(app(FakeUsers { up: true }), path, None).await
}

async fn quote(body: &str) -> (u16, Value) {
    call(app(FakeUsers { up: true }), "/v1/quotes", Some(body)).await
}

fn policy() -> Value {
    json!({ "name": "custom", "windows": [{ "hoursBefore": 48, "refundPercent": 80 }] })
}

fn homestay(id: i64, title: &str) -> Value {
    json!({
        "id": id, "title": title, "subTitle": "under the roof", "info": "steep stairs",
        "pictures": ["https://a/1.jpg", "https://a/2.jpg"], "city": "Hangzhou", "timeZone": "Asia/Shanghai",
        "onSale": true, "soldPer": "person", "peopleNum": 2, "units": 4, "currency": "CNY", "priceCents": 38_899,
        "weekendPriceCents": 38_899, "marketPriceCents": 46_000, "foodInfo": "porridge", "foodPriceCents": 2_850,
        "mealsPerDay": 8, "openFrom": "2026-11-21", "openUntil": "2027-12-26", "star": 4.5, "shopId": 3, "hostId": 9,
        "createdAt": "2026-11-21T00:00:00.000Z", "checkInTime": "14:05", "cancellationPolicy": policy(),
    })
}

#[tokio::test]
async fn a_search_passes_every_filter_on_and_names_the_next_page() {
    let all = "/v1/homestays?city=D%C3%A0l%C7%90&checkIn=2026-12-01&checkOut=2026-12-03&guests=2&minPriceCents=5\
               &maxPriceCents=9&cursor=abc&limit=7";
    let cases = [
        ("/v1/homestays", "|||0|0|0||20"),
        ("/v1/homestays?limit=1000", "|||0|0|0||100"),
        (all, "Dàlǐ|2026-12-01|2026-12-03|2|5|9|abc|7"),
    ];
    for (path, want) in cases {
        let page = json!({ "homestays": [homestay(1, want)], "nextCursor": "next" });
        assert_eq!(get(path).await, (200, page), "{path}");
    }
    let last = json!({ "homestays": [], "nextCursor": null });
    assert_eq!(get("/v1/homestays?cursor=last").await, (200, last));
}

#[tokio::test]
async fn bad_parameters_are_answered_with_their_name() {
    let cases = [
        ("/v1/homestays?limit=-1", "limit"),
        ("/v1/homestays?guests=-1", "guests"),
        ("/v1/homestays?guests=0", "guests"),
        ("/v1/homestays?minPriceCents=-1", "minPriceCents"),
        ("/v1/homestays?maxPriceCents=0", "maxPriceCents"),
        ("/v1/homestays?maxPriceCents=-5", "maxPriceCents"),
        ("/v1/homestays?guests=two", "guests"),
        ("/v1/homestays?colour=red", "colour"),
        ("/v1/homestays/seven", "id"),
        ("/v1/homestays/7/calendar", "from"),
        ("/v1/homestays/7/calendar?from=2026-12-01", "to"),
        ("/v1/homestays/7/calendar?from=2026-12-01&to=2026-12-01", "to"),
    ];
    for (path, field) in cases {
        let (status, body) = get(path).await;
        assert_eq!((status, &body["field"]), (400, &json!(field)), "{path} {body}");
    }
}

#[tokio::test]
async fn a_homestay_is_shown_and_an_unknown_one_is_a_problem() {
    assert_eq!(get("/v1/homestays/7").await, (200, homestay(7, "Attic")));
    let (status, body) = get("/v1/homestays/404").await;
    assert_eq!((status, &body["code"]), (404, &json!("HOUSE_NOT_FOUND")));
}

#[tokio::test]
async fn a_calendar_shows_its_days() {
    let (status, body) = get("/v1/homestays/7/calendar?from=2026-12-01&to=2026-12-02").await;
    let day = json!({
        "date": "2026-12-01", "priceCents": 38_899, "freeUnits": 3, "freeMeals": 8, "open": true,
        "minNights": 1, "arrival": true, "departure": true,
    });
    assert_eq!(
        (status, body),
        (200, json!({ "homestayId": 7, "currency": "CNY", "days": [day] }))
    );
}

#[tokio::test]
async fn a_quote_shows_its_lines_and_a_bad_one_names_the_field() {
    let body = r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":2,"meals":true}"#;
    let line = json!({ "kind": "room", "date": "2026-12-01", "unitCents": 38_899, "quantity": 1, "totalCents": 38_899 });
    let want = json!({
        "homestayId": 7, "checkIn": "2026-12-01", "checkOut": "2026-12-02", "nights": 1, "guests": 2, "meals": true,
        "currency": "CNY", "roomCents": 38_899, "mealCents": 5_700, "totalCents": 44_599, "lines": [line],
    });
    assert_eq!(quote(body).await, (200, want));
    let cases = [
        (
            r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":0}"#,
            400,
            "guests",
        ),
        (
            r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02"}"#,
            400,
            "guests",
        ),
        (
            r#"{"homestayId":7,"checkIn":7,"checkOut":"2026-12-02","guests":1}"#,
            400,
            "checkIn",
        ),
        (
            r#"{"homestayId":7,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":1,"x":1}"#,
            400,
            "x",
        ),
    ];
    for (body, status, field) in cases {
        let (got, answer) = quote(body).await;
        assert_eq!((got, &answer["field"]), (status, &json!(field)), "{body}");
    }
    let (status, answer) =
        quote(r#"{"homestayId":409,"checkIn":"2026-12-01","checkOut":"2026-12-02","guests":1}"#).await;
    assert_eq!((status, &answer["code"]), (409, &json!("DATES_CLOSED")));
}

#[tokio::test]
async fn the_document_names_every_route_and_parameter() {
    let nowhere = || {
        homestay_testkit::fake(homestay_proto::travel::travel_server::TravelServer::new(
            super::fakes::FakeTravel,
        ))
    };
    let (_, document) = rest(Api::new(nowhere(), nowhere())).split_for_parts();
    let document = serde_json::to_value(document).unwrap();
    let mut paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "/v1/homestays",
            "/v1/homestays/{id}",
            "/v1/homestays/{id}/availability",
            "/v1/homestays/{id}/blocks",
            "/v1/homestays/{id}/blocks/{blockId}",
            "/v1/homestays/{id}/calendar",
            "/v1/homestays/{id}/rules",
            "/v1/quotes"
        ]
    );
    let names = |path: &str| {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        parameters
            .iter()
            .map(|p| p["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names("/v1/homestays"),
        [
            "city",
            "checkIn",
            "checkOut",
            "guests",
            "minPriceCents",
            "maxPriceCents",
            "cursor",
            "limit"
        ]
    );
    assert_eq!(names("/v1/homestays/{id}/calendar"), ["id", "from", "to"]);
}
