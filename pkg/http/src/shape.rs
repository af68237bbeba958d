//! The one place that decides which shape an error takes, and whether the reference's statuses are wanted back.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use homestay_error::{Code, Error};
use serde_json::{Value, json};

use crate::error::{Problem, Shapeless};

/// Prefixes of the looklook face (contract.md §1.3).
const LOOKLOOK: [&str; 4] = ["/usercenter/v1/", "/travel/v1/", "/order/v1/", "/payment/v1/"];

/// Answers `SUCCESS` or `FAIL` without an envelope.
const CALLBACK: &str = "/payment/v1/thirdPayment/thirdPaymentWxPayCallback";

/// What the reference answers with HTTP 200 where a detail route knows nothing under the number asked for: path, code and
/// data, which is the zero value of the route's answer (contract.md §1.2). Nothing else that is not found is a success.
fn nothing_there(path: &str, code: Code) -> Option<Value> {
    match (path, code) {
        ("/travel/v1/homestay/homestayDetail", Code::HouseNotFound) => Some(json!({
            "homestay": {
                "id": 0, "title": "", "subTitle": "", "banner": "", "info": "", "peopleNum": 0, "homestayBusinessId": 0,
                "userId": 0, "rowState": 0, "rowType": 0, "foodInfo": "", "foodPrice": 0.0, "homestayPrice": 0.0,
                "marketHomestayPrice": 0.0
            }
        })),
        ("/travel/v1/homestayBussiness/homestayBussinessDetail", Code::ShopNotFound) => Some(json!({
            "boss": { "id": 0, "userId": 0, "nickname": "", "avatar": "", "info": "", "rank": 0 }
        })),
        ("/order/v1/homestayOrder/userHomestayOrderDetail", Code::OrderNotFound) => Some(Value::Null),
        _ => None,
    }
}

/// Which face a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The envelope `{code, msg}`.
    Looklook,
    /// RFC 9457 problem details.
    Rest,
}

/// The face of a path.
#[must_use]
pub fn face(path: &str) -> Face {
    if LOOKLOOK.iter().any(|prefix| path.starts_with(prefix)) {
        Face::Looklook
    } else {
        Face::Rest
    }
}

/// Gives an error its body; any other response passes unchanged.
///
/// `compat`: the looklook face answers with the reference's statuses: 400 for every failure, 200 where a detail route finds
/// nothing, 401 without a body for a bad token; an unknown path and a wrong verb stay 404 and 405.
pub(crate) fn shape(mut response: Response, path: &str, compat: bool, request_id: &str) -> Response {
    let Some(Shapeless(error)) = response.extensions_mut().remove::<Shapeless>() else {
        let failed = response.status().is_client_error() || response.status().is_server_error();
        if compat && failed && path == CALLBACK {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        return response;
    };
    if error.code().is_ours() {
        tracing::error!(code = error.code().reason(), error = %error.chain(), "request failed");
    } else {
        tracing::debug!(code = error.code().reason(), error = %error.chain(), "request refused");
    }
    let mut shaped = match face(path) {
        Face::Rest => problem(&error, request_id),
        Face::Looklook => envelope(&error, path, compat),
    };
    let headers = shaped.headers_mut();
    match error.code() {
        Code::Unavailable | Code::Overloaded | Code::Timeout | Code::Provider => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Code::TooManyRequests => {
            let after = error
                .detail()
                .and_then(|detail| detail["retryAfterSeconds"].as_u64())
                .unwrap_or(60);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after));
        }
        Code::Unauthenticated if face(path) == Face::Rest => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    // What the router says of a wrong verb stays.
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        shaped.headers_mut().insert(header::ALLOW, allow);
    }
    shaped
}

fn problem(error: &Error, request_id: &str) -> Response {
    let body = Problem::new(error, Some(request_id.to_owned()));
    let mut response = (error.code().http(), axum::Json(body)).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

fn envelope(error: &Error, path: &str, compat: bool) -> Response {
    let code = error.code();
    let msg = match code {
        Code::InvalidArgument => format!("{} ,{}", code.message(), error.message()),
        _ => error.message().to_owned(),
    };
    let body = axum::Json(json!({ "code": code.number(), "msg": msg }));
    if !compat {
        return (code.http(), body).into_response();
    }
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED.into_response(),
        Code::RouteNotFound | Code::MethodNotAllowed => (code.http(), body).into_response(),
        _ => match nothing_there(path, code) {
            Some(data) => axum::Json(json!({ "code": 200, "msg": "OK", "data": data })).into_response(),
            None => (StatusCode::BAD_REQUEST, body).into_response(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiError;

    const HOUSE: &str = "/travel/v1/homestay/homestayDetail";
    const SHOP: &str = "/travel/v1/homestayBussiness/homestayBussinessDetail";
    const ORDER: &str = "/order/v1/homestayOrder/userHomestayOrderDetail";
    const BOOK: &str = "/order/v1/homestayOrder/createHomestayOrder";
    const PAY: &str = "/payment/v1/thirdPayment/thirdPaymentWxPay";

    async fn answer(path: &str, code: Code, compat: bool) -> (u16, Value) {
        let response = shape(ApiError(Error::new(code)).into_response(), path, compat, "r1");
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    #[tokio::test]
    async fn with_the_old_statuses_only_a_detail_route_that_finds_nothing_succeeds() {
        for (path, code, field) in [
            (HOUSE, Code::HouseNotFound, Some("homestay")),
            (SHOP, Code::ShopNotFound, Some("boss")),
            (ORDER, Code::OrderNotFound, None),
        ] {
            let (status, body) = answer(path, code, true).await;
            assert_eq!(
                (status, &body["code"], &body["msg"]),
                (200, &json!(200), &json!("OK")),
                "{path}"
            );
            match field {
                Some(field) => {
                    let zeroes = body["data"][field].as_object().unwrap();
                    assert!(
                        zeroes
                            .values()
                            .all(|v| *v == json!(0) || *v == json!(0.0) || *v == json!("")),
                        "{body}"
                    );
                    assert_eq!(zeroes["id"], 0);
                }
                None => assert_eq!(body.as_object().unwrap().get("data"), Some(&Value::Null)),
            }
            assert_eq!(answer(path, code, false).await.0, 404, "{path}");
        }
    }

    #[tokio::test]
    async fn with_the_old_statuses_every_other_failure_is_a_400_with_its_number() {
        for path in [HOUSE, SHOP, ORDER, BOOK, PAY, "/usercenter/v1/user/detail"] {
            for code in Code::ALL.iter().copied() {
                if nothing_there(path, code).is_some() {
                    continue;
                }
                let want = match code {
                    Code::Unauthenticated => (401, Value::Null),
                    Code::RouteNotFound => (404, json!(code.number())),
                    Code::MethodNotAllowed => (405, json!(code.number())),
                    _ => (400, json!(code.number())),
                };
                let (status, body) = answer(path, code, true).await;
                assert_eq!((status, body["code"].clone()), want, "{path} {code:?}");
                assert!(body.get("data").is_none(), "{path} {code:?}: {body}");
            }
        }
    }

    #[tokio::test]
    async fn with_the_old_statuses_a_callback_fails_with_400_only() {
        for (status, path, compat, want) in [
            (413, CALLBACK, true, 400),
            (503, CALLBACK, true, 400),
            (200, CALLBACK, true, 200),
            (413, CALLBACK, false, 413),
            (413, "/payment/v1/thirdPayment/sandboxCallback", true, 413),
        ] {
            let response = (StatusCode::from_u16(status).unwrap(), "FAIL").into_response();
            let response = shape(response, path, compat, "r1");
            assert_eq!(response.status(), want, "{status} {path} {compat}");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX)
                .await
                .unwrap();
            assert_eq!(&body[..], b"FAIL");
        }
    }

    #[tokio::test]
    async fn the_rest_face_keeps_its_statuses_whatever_the_switch_says() {
        for code in Code::ALL.iter().copied() {
            let (status, body) = answer("/v1/orders", code, true).await;
            assert_eq!(
                (status, &body["code"]),
                (code.http().as_u16(), &json!(code.reason()))
            );
        }
    }
}
