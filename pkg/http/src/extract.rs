use std::net::SocketAddr;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use homestay_error::{Code, Error};
use serde::de::DeserializeOwned;

use crate::ApiError;
use crate::edge::TrustForwarded;

/// The query string, with errors that name the parameter.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader)
            .map(Query)
            .map_err(|error| {
                let path = error.path().to_string();
                let text = error.inner().to_string();
                let quoted = text.split('`').nth(1).map(str::to_owned);
                match quoted {
                    Some(field) if text.starts_with("missing field") => {
                        Error::invalid(field, "is not set").into()
                    }
                    Some(field) if text.starts_with("unknown field") => {
                        Error::invalid(field, "is not known here").into()
                    }
                    _ => Error::invalid(path, format!("is not valid: {text}")).into(),
                }
            })
    }
}

/// Parts of the path, with errors that name them.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|rejection| {
                if let PathRejection::FailedToDeserializePathParams(failed) = &rejection {
                    match failed.kind() {
                        ErrorKind::ParseErrorAtKey { key, .. } => {
                            return Error::invalid(key.clone(), "is not valid").into();
                        }
                        ErrorKind::ParseError { .. } => return Error::invalid("id", "is not valid").into(),
                        ErrorKind::InvalidUtf8InPathParam { key } => {
                            return Error::invalid(key.clone(), "is not UTF-8").into();
                        }
                        _ => {}
                    }
                }
                Error::invalid("path", "is not valid").into()
            })
    }
}

/// The `Idempotency-Key` header, if there is one: 1 to 255 visible ASCII characters
/// (draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        match value.to_str() {
            Ok(text) if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self(Some(text.to_owned())))
            }
            _ => Err(Error::invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters").into()),
        }
    }
}

/// Where the request comes from, for throttles: the peer's address, or what the gateway says if it is trusted.
#[derive(Debug, Clone)]
pub struct ClientAddress(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if parts
            .extensions
            .get::<TrustForwarded>()
            .is_some_and(|trust| trust.0)
        {
            let real = parts
                .headers
                .get("x-real-ip")
                .and_then(|value| value.to_str().ok());
            if let Some(real) = real.and_then(|text| text.trim().parse::<std::net::IpAddr>().ok()) {
                return Ok(Self(real.to_string()));
            }
        }
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|peer| peer.0.ip().to_string());
        Ok(Self(peer.unwrap_or_else(|| "unknown".to_owned())))
    }
}

/// Longest page of any list.
const MAX_PAGE: i64 = 100;
const PAGE: i64 = 20;

fn page(name: &'static str, wanted: Option<i64>) -> Result<i64, Error> {
    match wanted {
        None | Some(0) => Ok(PAGE),
        Some(n) if n < 0 => {
            Err(Error::with(Code::InvalidArgument, format!("{name} must not be negative")).field(name))
        }
        Some(n) => Ok(n.min(MAX_PAGE)),
    }
}

/// Page size of the looklook face: absent or 0 means 20, more than 100 means 100 (contract.md §4).
///
/// # Errors
/// Negative: [`Code::InvalidArgument`] naming `pageSize`.
pub fn page_size(wanted: Option<i64>) -> Result<i64, Error> {
    page("pageSize", wanted)
}

/// Page size of the REST face, as [`page_size`].
///
/// # Errors
/// Negative: [`Code::InvalidArgument`] naming `limit`.
pub fn limit(wanted: Option<i64>) -> Result<i64, Error> {
    page("limit", wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_have_a_default_and_a_bound() {
        for (wanted, got) in [
            (None, 20),
            (Some(0), 20),
            (Some(1), 1),
            (Some(100), 100),
            (Some(i64::MAX), 100),
        ] {
            assert_eq!(page_size(wanted).unwrap(), got);
        }
        assert_eq!(page_size(Some(-1)).unwrap_err().field_name(), Some("pageSize"));
        assert_eq!(limit(Some(-1)).unwrap_err().field_name(), Some("limit"));
    }
}
