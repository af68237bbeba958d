//! Calls to providers: time limits, and which failures may pass.

use std::time::Duration;

use homestay_error::{Code, Error, Result};
use homestay_rpc::deadline;
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};

/// Longest answer that is read.
const LIMIT_BYTES: usize = 1 << 20;

/// What a provider answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer, if it is neither a failure of the provider's own nor a wish for fewer calls.
    ///
    /// # Errors
    /// [`Code::Provider`]: nothing is known then about what it did.
    pub(crate) fn settled(self) -> Result<Self> {
        if self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(unsettled(format!("the provider answered {}", self.status)));
        }
        Ok(self)
    }
}

/// Sends a request and waits for the answer, no longer than `timeout`, and than the caller waits for us.
///
/// # Errors
/// [`Code::Provider`] if the provider cannot be reached, does not answer in time, or answers 5xx or 429: nothing is known then
/// about what it did.
pub(crate) async fn send(request: RequestBuilder, timeout: Duration) -> Result<Answer> {
    send_any(request, timeout).await?.settled()
}

/// The same, whatever the answer is.
///
/// # Errors
/// [`Code::Provider`] if there is none.
pub(crate) async fn send_any(request: RequestBuilder, timeout: Duration) -> Result<Answer> {
    let timeout = deadline::left().map_or(timeout, |left| left.min(timeout));
    // No address in the error: it may hold numbers that are nobody else's business.
    let silent = |cause: reqwest::Error| unsettled(cause.without_url());
    let mut response = request.timeout(timeout).send().await.map_err(silent)?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(silent)? {
        if body.len() + chunk.len() > LIMIT_BYTES {
            return Err(unsettled("the provider's answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// Something that may pass: what the provider did is not known.
pub(crate) fn unsettled(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Code::Provider).source(cause)
}

/// A no that stays a no.
pub(crate) fn refused(provider: &'static str, why: String) -> Error {
    tracing::warn!(provider, why, "the provider refused");
    Error::new(Code::ProviderRefused).source(why)
}

/// The first `len` bytes of a text, cut between characters.
pub(crate) fn cut(text: &str, len: usize) -> &str {
    let mut end = text.len().min(len);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
