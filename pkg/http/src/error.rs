use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use homestay_error::{Code, Error};
use serde::Serialize;
use utoipa::ToSchema;

/// What a handler returns when it refuses or fails.
#[derive(Debug)]
pub struct ApiError(pub Error);

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<tonic::Status> for ApiError {
    fn from(status: tonic::Status) -> Self {
        Self(status.into())
    }
}

/// The error on its way out: [`crate::shape`] gives it a body.
#[derive(Debug, Clone)]
pub(crate) struct Shapeless(pub(crate) Arc<Error>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.code().http().into_response();
        response.extensions_mut().insert(Shapeless(Arc::new(self.0)));
        response
    }
}

/// An error of the REST face: RFC 9457 problem details, `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// URI reference of the kind of problem: `/docs#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short text of the kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// Machine-readable code, such as `DATES_TAKEN`.
    pub code: String,
    /// Name of the field that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Data that belongs to the code, such as the new quote of `PRICE_CHANGED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Id of the request, as in `X-Request-Id`.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    pub(crate) fn new(error: &Error, request_id: Option<String>) -> Self {
        let code: Code = error.code();
        Self {
            kind: format!("/docs#{}", code.reason()),
            title: code.http().canonical_reason().unwrap_or_default().to_owned(),
            status: code.http().as_u16(),
            detail: error.message().to_owned(),
            code: code.reason().to_owned(),
            field: error.field_name().map(str::to_owned),
            details: error.detail().cloned(),
            request_id,
        }
    }
}
