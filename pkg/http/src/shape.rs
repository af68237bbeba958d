//! The one place that decides which shape an error takes, and whether the reference's statuses are wanted back.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use homestay_error::{Code, Error};
use serde_json::json;

use crate::error::{Problem, Shapeless};

/// Prefixes of the looklook face (contract.md §1.3).
const LOOKLOOK: [&str; 4] = ["/usercenter/v1/", "/travel/v1/", "/order/v1/", "/payment/v1/"];

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
/// `compat`: the looklook face answers with the reference's statuses (400 for failures, 200 and `data: null` for what is not
/// found, 401 without a body).
pub(crate) fn shape(mut response: Response, path: &str, compat: bool, request_id: &str) -> Response {
    let Some(Shapeless(error)) = response.extensions_mut().remove::<Shapeless>() else {
        return response;
    };
    if error.code().is_ours() {
        tracing::error!(code = error.code().reason(), error = %error.chain(), "request failed");
    } else {
        tracing::debug!(code = error.code().reason(), error = %error.chain(), "request refused");
    }
    let mut shaped = match face(path) {
        Face::Rest => problem(&error, request_id),
        Face::Looklook => envelope(&error, compat),
    };
    let headers = shaped.headers_mut();
    match error.code() {
        Code::Unavailable | Code::Timeout | Code::Provider => {
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

fn envelope(error: &Error, compat: bool) -> Response {
    let code = error.code();
    let msg = match code {
        Code::InvalidArgument => format!("{} ,{}", code.message(), error.message()),
        _ => error.message().to_owned(),
    };
    let body = axum::Json(json!({ "code": code.number(), "msg": msg }));
    if !compat {
        return (code.http(), body).into_response();
    }
    match code.http() {
        StatusCode::UNAUTHORIZED if code == Code::Unauthenticated => StatusCode::UNAUTHORIZED.into_response(),
        StatusCode::NOT_FOUND if code != Code::RouteNotFound => {
            axum::Json(json!({ "code": 200, "msg": "OK", "data": null })).into_response()
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => (code.http(), body).into_response(),
        _ => (StatusCode::BAD_REQUEST, body).into_response(),
    }
}
