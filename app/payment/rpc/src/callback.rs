use std::collections::HashMap;
use std::sync::LazyLock;

use homestay_error::{Code, Error, Result};
use homestay_telemetry::metrics;
use prometheus::IntCounterVec;

use crate::cases::{self, NewCase};
use crate::provider::{EventKind, PaymentProvider, ProviderEvent, TEXT};
use crate::service::PaymentService;
use crate::settle::{News, Recorded, is_disputed, wrong_amount};
use crate::state::{RefundState, State};
use crate::store::refund::Refund;
use crate::store::{self, Payment, returned};

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
                    Recorded::Ignored => "IGNORED",
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
        let mut event = provider.parse_callback(headers, body, self.clock.now_ms())?;
        let moves_money = matches!(event.kind, EventKind::Captured | EventKind::Refunded);
        if event.kind == EventKind::Other {
            return Ok(Recorded::Ignored);
        }
        let payment = if event.payment_sn.is_empty() {
            match store::by_provider_ref(self.db.read(), &event.provider_ref).await? {
                Some(payment) => Some(payment),
                // Perhaps ours, and what tells us the provider's number of it has not come yet.
                None => match provider.payment_of(&event.provider_ref).await? {
                    Some(sn) => {
                        event.payment_sn = sn;
                        store::by_sn(self.db.read(), &event.payment_sn).await?
                    }
                    None => None,
                },
            }
        } else {
            store::by_sn(self.db.read(), &event.payment_sn).await?
        };
        let Some(payment) = payment.filter(|payment| payment.provider == provider.name()) else {
            // Without a number of ours: of another shop with the same account.
            if event.payment_sn.is_empty() {
                return Ok(Recorded::Ignored);
            }
            if moves_money {
                self.open_case(unknown_payment(&**provider, event)).await?;
            }
            return Err(refused("no such payment"));
        };
        match event.kind {
            EventKind::Captured => self.captured(&payment, event).await,
            EventKind::Failed => self.record(&payment, event.event_id, News::Failed).await,
            EventKind::Closed => self.record(&payment, event.event_id, News::Closed).await,
            EventKind::Refunded => self.refunded(&payment, event).await,
            EventKind::RefundFailed => self.refund_failed(&payment, event).await,
            EventKind::Other => Ok(Recorded::Ignored),
        }
    }

    async fn captured(&self, payment: &Payment, event: ProviderEvent) -> Result<Recorded> {
        // What was due, not what the payer paid after coupons (holes.md B09). A decline moves no money.
        if event.total_cents != payment.amount_cents || event.currency != payment.currency {
            return self.another_capture(payment, &event).await;
        }
        let news = News::Captured {
            at_ms: event.occurred_at_ms,
            provider_ref: event.provider_ref,
        };
        self.record(payment, event.event_id, news).await
    }

    /// Money went back: for a refund of ours, or of the provider's own accord.
    async fn refunded(&self, payment: &Payment, event: ProviderEvent) -> Result<Recorded> {
        let ours = match event.refund_sn.as_str() {
            "" => None,
            sn => store::refund::by_sn(self.db.read(), sn).await?,
        };
        let ours = ours.filter(|refund| refund.payment_sn == payment.sn);
        let another = ours
            .as_ref()
            .is_some_and(|ours| ours.amount_cents != event.total_cents);
        if another || event.total_cents < 1 || event.currency != payment.currency {
            return self
                .another_amount(payment, &event, "a callback says that it was refunded")
                .await;
        }
        if let Some(ours) = ours {
            // One that stands refused has no other attempt on its way.
            if event.refund_attempt != ours.attempt && ours.state != RefundState::Failed {
                self.open_case(another_attempt(payment, &ours, &event)).await?;
                if ours.state == RefundState::Succeeded {
                    return Ok(Recorded::Unchanged);
                }
            }
            return self.refund_succeeded(ours, Some(event.event_id)).await;
        }
        let key = key_of(&event);
        if returned::knows_event(self.db.read(), &payment.provider, &failed(&key)).await? {
            return Ok(Recorded::Ignored);
        }
        let tell =
            || self.refunded_by_provider(payment, key.clone(), event.total_cents, event.event_id.clone());
        match tell().await {
            Err(error) if error.code() == Code::PaymentState => {
                // Before its capture has reached us: the provider's books tell of that.
                let provider = self.provider_named(&payment.provider)?;
                let answer = provider.query(&payment.intent()).await?;
                self.record_answer(payment, answer).await?;
                tell().await
            }
            told => told,
        }
    }

    /// Another amount was captured, says a callback. If the provider's books say so too, that is how it is recorded.
    async fn another_capture(&self, payment: &Payment, event: &ProviderEvent) -> Result<Recorded> {
        let refused = self
            .another_amount(payment, event, "a callback says that it was captured")
            .await;
        let answer = self
            .provider_named(&payment.provider)?
            .query(&payment.intent())
            .await?;
        if !is_disputed(payment, &answer) {
            return refused;
        }
        self.record_answer(payment, answer).await?;
        let now = store::by_sn(self.db.read(), payment.sn.as_str()).await?;
        // Money that was captured as it was asked for stays so.
        if now.is_some_and(|now| now.state == State::Disputed) {
            return Ok(Recorded::Changed);
        }
        refused
    }

    /// A refund will not happen, or its money has come back to us: of ours, or of one that somebody made at the provider.
    async fn refund_failed(&self, payment: &Payment, event: ProviderEvent) -> Result<Recorded> {
        let ours = match event.refund_sn.as_str() {
            "" => None,
            sn => store::refund::by_sn(self.db.read(), sn).await?,
        };
        if let Some(ours) = ours.filter(|refund| refund.payment_sn == payment.sn) {
            // An attempt that a person has answered by another says nothing of that.
            if event.refund_attempt < ours.attempt {
                return Ok(Recorded::Unchanged);
            }
            return self
                .refund_refused(payment, &ours, "told by callback", false)
                .await;
        }
        let key = key_of(&event);
        // The key had the status behind it once.
        let older = format!("{key}:");
        let known = store::refund::of_payment(self.db.read(), payment.sn.as_str()).await?;
        match known
            .iter()
            .find(|refund| refund.key == key || refund.came_by == key || refund.key.starts_with(&older))
        {
            Some(booked) => {
                let failure = "told by callback, of a refund made at the provider";
                self.refund_refused(payment, booked, failure, true).await
            }
            // Nothing of it was booked, and nothing will be that is told late.
            None => {
                let (payment, event_id, now_ms) = (payment.clone(), failed(&key), self.clock.now_ms());
                self.db
                    .write(move |tx| {
                        Box::pin(async move {
                            store::note_event(tx, &payment.provider, &event_id, &payment.sn, now_ms).await
                        })
                    })
                    .await?;
                Ok(Recorded::Ignored)
            }
        }
    }

    async fn another_amount(&self, payment: &Payment, event: &ProviderEvent, what: &str) -> Result<Recorded> {
        let case = wrong_amount(
            payment,
            event.total_cents,
            &event.currency,
            &event.provider_ref,
            what,
        );
        self.open_case(case).await?;
        Err(refused("another amount"))
    }
}

/// Under which key a refund that the provider made by itself is booked: the same for all that is told of it.
fn key_of(event: &ProviderEvent) -> String {
    let numbers = [&event.refund_sn, &event.provider_refund, &event.event_id];
    let number = numbers.into_iter().find(|number| !number.is_empty());
    format!("provider:{}", number.map_or("", String::as_str))
}

/// Name in the inbox of the failure of a refund that the provider made by itself and of which nothing was booked.
fn failed(key: &str) -> String {
    format!("failed:{key}")
}

/// The case of a refund whose earlier attempt went back, though a person has sent it again since: perhaps both did.
fn another_attempt(payment: &Payment, refund: &Refund, event: &ProviderEvent) -> NewCase {
    NewCase {
        refund_sn: refund.sn.to_string(),
        amount_cents: event.total_cents,
        detail: format!(
            "attempt {} of this refund went back, the last one sent is {}: see at the provider that not both did",
            event.refund_attempt, refund.attempt
        ),
        ..cases::about(
            cases::PROVIDER_REFUND,
            payment,
            format!("{}:attempt:{}", refund.sn, event.refund_attempt),
        )
    }
}

/// The case of money of which we know nothing: one a number, however often the provider tells of it.
fn unknown_payment(provider: &dyn PaymentProvider, event: ProviderEvent) -> NewCase {
    let number = if event.payment_sn.is_empty() {
        &event.event_id
    } else {
        &event.payment_sn
    };
    NewCase {
        kind: cases::UNKNOWN_PAYMENT.to_owned(),
        reference: format!("{}:{number}", provider.name()),
        provider: provider.name().to_owned(),
        amount_cents: event.total_cents,
        detail: format!(
            "a callback ({:?}, event {:?}) about payment {:?}, the provider's number {:?}",
            event.kind, event.event_id, event.payment_sn, event.provider_ref
        ),
        currency: event.currency,
        ..NewCase::default()
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(Code::BadCallback).source(why)
}
