//! The HTTP edge that all api crates share: extractors that name the wrong field, tokens, the two shapes of an error, and the
//! layers around every route.
//!
//! Handlers return [`ApiResult`]; which shape an error takes is decided in [`shape`], never in a handler.

pub mod auth;
mod client;
mod cursor;
mod edge;
mod error;
mod extract;
mod json;
mod server;
pub mod shape;

pub use auth::{AuthUser, Keys, MaybeUser};
pub use client::{client, install_tls};
pub use cursor::{cursor, last_id};
pub use edge::Edge;
pub use error::{ApiError, ApiResult, Problem};
pub use extract::{ClientAddress, IdempotencyKey, Path, Query, limit, page_size};
pub use json::{Envelope, Json, envelope};
pub use server::serve;

/// RFC 3339 in UTC with milliseconds, from unix milliseconds; `null` for 0, which means "not yet".
#[must_use]
pub fn rfc3339(ms: i64) -> Option<String> {
    if ms == 0 {
        return None;
    }
    let at = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(format!("{at:.3}"))
}
