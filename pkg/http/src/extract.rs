use std::net::SocketAddr;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use homestay_error::{Code, Error};
use homestay_types::idempotency;
use serde::de::DeserializeOwned;

use crate::ApiError;
use crate::edge::TrustForwarded;

/// What is wrong with a text that our databases could not keep: Postgres has no room for this character, and one database's refusal
/// is not to be another's booking.
pub(crate) const NUL: &str = "must not contain the character NUL";

/// The query string, with errors that name the parameter.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if name.contains('\0') {
                return Err(Error::invalid("query", NUL).into());
            }
            if value.contains('\0') {
                return Err(Error::invalid(name.into_owned(), NUL).into());
            }
        }
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
        // What this cannot read, the other one refuses below.
        if let Ok(raw) = RawPathParams::from_request_parts(parts, state).await
            && let Some((key, _)) = raw.iter().find(|(_, value)| value.contains('\0'))
        {
            return Err(Error::invalid(key.to_owned(), NUL).into());
        }
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

/// The `Idempotency-Key` header, if there is one: what it means is said at [`homestay_types::idempotency`].
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let refused = |what: &str| Err(Error::invalid("Idempotency-Key", what).into());
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        if values.next().is_some() {
            return refused("must be given once");
        }
        match value.to_str() {
            Ok(text) if idempotency::is_key(text) => Ok(Self(Some(text.to_owned()))),
            _ => refused(idempotency::RULE),
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

    async fn key(values: &[&str]) -> Result<Option<String>, String> {
        let mut request = axum::http::Request::builder();
        for value in values {
            request = request.header("Idempotency-Key", value.as_bytes());
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        IdempotencyKey::from_request_parts(&mut parts, &())
            .await
            .map(|key| key.0)
            .map_err(|error| error.0.field_name().unwrap_or_default().to_owned())
    }

    #[tokio::test]
    async fn an_idempotency_key_is_given_once_or_not_at_all() {
        let refused = Err("Idempotency-Key".to_owned());
        let longest = "k".repeat(255);
        assert_eq!(key(&[]).await, Ok(None));
        assert_eq!(key(&["a-1"]).await, Ok(Some("a-1".to_owned())));
        assert_eq!(key(&[&longest]).await, Ok(Some(longest.clone())));
        for bad in [
            vec![""],
            vec!["a b"],
            vec!["é"],
            vec![&format!("{longest}k")],
            vec!["a", "a"],
        ] {
            assert_eq!(key(&bad).await, refused, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_nul_in_query_or_path_is_refused_by_name() {
        #[derive(Debug, serde::Deserialize)]
        struct Wanted {
            #[expect(dead_code, reason = "only that it was read matters")]
            city: String,
        }
        let query = async |query: &str| {
            let request = axum::http::Request::get(format!("/x?{query}")).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            let read = Query::<Wanted>::from_request_parts(&mut parts, &()).await;
            read.map(|_| ())
                .map_err(|error| error.0.field_name().unwrap_or_default().to_owned())
        };
        assert_eq!(query("city=%2500").await, Ok(()));
        assert_eq!(query("city=a%00b").await, Err("city".to_owned()));
        assert_eq!(query("city=a&c%00=b").await, Err("query".to_owned()));

        let router = axum::Router::new().route(
            "/orders/{sn}/blocks/{id}",
            axum::routing::get(async |Path((sn, id)): Path<(String, String)>| format!("{sn} {id}")),
        );
        let answer = async |path: &'static str| {
            let request = axum::http::Request::get(path)
                .body(axum::body::Body::empty())
                .unwrap();
            let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
            let refused = response.extensions().get::<crate::error::Shapeless>();
            refused.and_then(|error| error.0.field_name().map(str::to_owned))
        };
        assert_eq!(answer("/orders/a/blocks/b").await, None);
        assert_eq!(answer("/orders/a/blocks/%00").await, Some("id".to_owned()));
    }

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
