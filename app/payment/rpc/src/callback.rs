use std::collections::HashMap;
use std::sync::LazyLock;

use homestay_error::{Code, Error, Result};
use homestay_telemetry::metrics;
use prometheus::IntCounterVec;

use crate::provider::{EventKind, ProviderEvent, TEXT};
use crate::service::PaymentService;
use crate::settle::{News, Recorded};
use crate::store;

static CALLBACKS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "payment_callbacks_total",
        "Callbacks of payment providers by outcome.",
        &["provider", "outcome"],
    )
});

/// What the provider is to get (contract.md §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub text: &'static str,
}

impl PaymentService {
    /// Takes a provider's callback as it came. Never fails: a refusal is an answer, and what could not be recorded is
    /// answered so that the provider delivers it again.
    pub(crate) async fn callback(
        &self,
        provider: &str,
        headers: &HashMap<String, String>,
        body: &[u8],
    ) -> Reply {
        let (outcome, reply) = match self.take(provider, headers, body).await {
            Ok(recorded) => {
                let outcome = match recorded {
                    Recorded::Changed => "OK",
                    Recorded::Known => "KNOWN",
                    Recorded::Unchanged => "UNCHANGED",
                };
                (
                    outcome,
                    Reply {
                        status: 200,
                        content_type: TEXT,
                        text: "SUCCESS",
                    },
                )
            }
            Err(error) => {
                if error.code().is_ours() {
                    tracing::error!(provider = self.provider_label(provider), error = %error.chain(),
                        "a callback could not be taken");
                } else {
                    tracing::warn!(provider = self.provider_label(provider), error = %error.chain(),
                        "a callback was refused");
                }
                let (content_type, text) = self
                    .provider_named(provider)
                    .map_or((TEXT, "FAIL"), |provider| provider.refusal(&error));
                (
                    error.code().reason(),
                    Reply {
                        status: error.code().http().as_u16(),
                        content_type,
                        text,
                    },
                )
            }
        };
        CALLBACKS
            .with_label_values(&[self.provider_label(provider), outcome])
            .inc();
        reply
    }

    async fn take(&self, provider: &str, headers: &HashMap<String, String>, body: &[u8]) -> Result<Recorded> {
        let provider = self
            .provider_named(provider)
            .map_err(|_| refused("no such provider"))?;
        let event = provider.parse_callback(headers, body, self.clock.now_ms())?;
        if event.kind == EventKind::Other {
            return Ok(Recorded::Unchanged);
        }
        let payment = store::by_sn(self.db.read(), &event.payment_sn)
            .await?
            .filter(|payment| payment.provider == provider.name())
            .ok_or_else(|| refused("no such payment"))?;
        // What was due, not what the payer paid after coupons (holes.md B09). A decline moves no money.
        let wrong = event.total_cents != payment.amount_cents || event.currency != payment.currency;
        let moves_money = matches!(event.kind, EventKind::Captured | EventKind::Refunded);
        if wrong && moves_money {
            tracing::error!(payment.sn = %payment.sn, expected = payment.amount_cents, got = event.total_cents,
                payer = event.payer_total_cents, currency = event.currency, "a callback names another amount");
            return Err(refused("another amount"));
        }
        let ProviderEvent {
            event_id,
            kind,
            occurred_at_ms,
            provider_ref,
            refund_sn,
            ..
        } = event;
        let news = match kind {
            EventKind::Captured => News::Captured {
                at_ms: occurred_at_ms,
                provider_ref,
            },
            EventKind::Failed => News::Failed,
            EventKind::Closed => News::Closed,
            EventKind::Refunded => News::Refunded,
            EventKind::RefundFailed => {
                return self.refund_refused(&payment, refund_sn, "told by callback").await;
            }
            EventKind::Other => return Ok(Recorded::Unchanged),
        };
        self.record(&payment, event_id, news).await
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(Code::BadCallback).source(why)
}
