//! Callbacks of providers: handed on as they came, answered as payment-rpc says, without an envelope.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::post;
use homestay_proto::payment as pb;
use homestay_rpc::{Actor, request_for};

use crate::Api;

/// Longest callback that is read.
pub(crate) const LIMIT_BYTES: usize = 64 << 10;

/// What a provider reads when a callback is not taken (contract.md §1.3).
const FAIL: &str = "FAIL";

/// When it may come again.
const AGAIN: [(HeaderName, &str); 1] = [(header::RETRY_AFTER, "1")];

/// Where real providers call back; which of them, the address says. Not part of the API that guests use.
pub(crate) fn routes(api: Api) -> Router {
    let callback = post(take).layer::<_, std::convert::Infallible>(DefaultBodyLimit::max(LIMIT_BYTES));
    Router::new()
        .route("/v1/payments/callbacks/{provider}", callback)
        .with_state(api)
}

async fn take(
    State(api): State<Api>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    hand_on(api, &provider, &headers, body).await
}

/// Hands a callback to payment-rpc. An answer that is not 2xx makes the provider deliver it again.
pub(crate) async fn hand_on(
    api: Api,
    provider: &str,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return (rejection.status(), FAIL).into_response(),
    };
    let headers = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let request = pb::CallbackRequest {
        provider: provider.to_owned(),
        headers,
        body: body.to_vec(),
    };
    let reply = match api
        .payment
        .clone()
        .callback(request_for(&Actor::Anonymous, request))
        .await
    {
        Ok(reply) => reply.into_inner(),
        Err(status) => {
            tracing::error!(provider, error = %status, "a callback could not be handed on");
            return (StatusCode::SERVICE_UNAVAILABLE, AGAIN, FAIL).into_response();
        }
    };
    let status = u16::try_from(reply.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::try_from(reply.content_type)
        .unwrap_or_else(|_| HeaderValue::from_static("text/plain; charset=utf-8"));
    let again = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(AppendHeaders(AGAIN));
    (status, [(header::CONTENT_TYPE, kind)], again, reply.body).into_response()
}
