use std::fmt::{self, Write};
use std::time::Duration;

use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use homestay_clock::Clock;
use homestay_config::Secret;
use homestay_error::{Code, Error, Result};
use reqwest::header::CONTENT_TYPE;
use sha2::Sha256;

use crate::notifier::{Notification, Notifier};

/// Time of one delivery.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Header with the time (unix seconds) and the signature of `time.body`, as payment providers sign.
const SIGNATURE: &str = "homestay-signature";
/// Header with the event's id, by which a repeated delivery is known.
const EVENT: &str = "homestay-event-id";

/// Posts notifications to an address as signed JSON. 2xx means delivered, anything else is tried again.
pub struct WebhookNotifier {
    client: reqwest::Client,
    url: reqwest::Url,
    secret: Secret,
    clock: Clock,
}

impl fmt::Debug for WebhookNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a token.
        f.debug_struct("WebhookNotifier").finish_non_exhaustive()
    }
}

impl WebhookNotifier {
    /// A webhook at `url`, signing with `secret`.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] naming the setting: an address that is not HTTP, or a missing secret.
    pub fn new(url: &str, secret: Secret, clock: Clock) -> Result<Self> {
        let url = reqwest::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| Error::invalid("notify.webhook_url", "must be an http:// or https:// address"))?;
        if secret.is_empty() {
            return Err(Error::invalid("notify.webhook_secret", "must be set"));
        }
        Ok(Self {
            client: homestay_http::client(TIMEOUT),
            url,
            secret,
            clock,
        })
    }
}

impl Notifier for WebhookNotifier {
    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let body = serde_json::to_vec(notification).map_err(Error::internal)?;
            let at_s = self.clock.now_ms() / 1000;
            let answer = self
                .client
                .post(self.url.clone())
                .header(CONTENT_TYPE, "application/json")
                .header(SIGNATURE, signature(self.secret.expose(), at_s, &body))
                .header(EVENT, &notification.event_id)
                .body(body)
                .send()
                .await
                // The address may hold a token.
                .map_err(|cause| Error::unavailable(cause.without_url()))?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let message = format!("the webhook answered {}", status.as_u16());
            Err(Error::with(Code::Unavailable, message))
        })
    }
}

/// `t=<unix seconds>,v1=<hex of HMAC-SHA256 over "t.body">`.
pub(crate) fn signature(secret: &str, at_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(at_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut text = format!("t={at_s},v1=");
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_time_and_body() {
        // printf '1795219200.{"a":1}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature("key", 1_795_219_200, br#"{"a":1}"#),
            "t=1795219200,v1=efac48c00cfeae2c3b061c1b10dd97b8096d1eaa978151ec4526353eea067a0d"
        );
        let base = signature("key", 1, b"x");
        for other in [
            signature("kez", 1, b"x"),
            signature("key", 2, b"x"),
            signature("key", 1, b"y"),
        ] {
            assert_ne!(other.split(",v1=").nth(1), base.split(",v1=").nth(1));
        }
    }

    #[test]
    fn addresses_that_are_none_and_missing_secrets_are_named() {
        let new = |url: &str, secret: &str| WebhookNotifier::new(url, Secret::new(secret), Clock::manual(0));
        let field = |result: Result<WebhookNotifier>| {
            result
                .map(|_| ())
                .map_err(|error| error.field_name().map(str::to_owned))
        };
        for url in ["", "hooks.example", "ftp://hooks.example/", "file:///etc/passwd"] {
            assert_eq!(
                field(new(url, "s")),
                Err(Some("notify.webhook_url".into())),
                "{url}"
            );
        }
        assert_eq!(
            field(new("https://hooks.example/x", "")),
            Err(Some("notify.webhook_secret".into()))
        );
        assert_eq!(field(new("https://hooks.example/x", "s")), Ok(()));
    }
}
