//! The world outside: what every payment provider can do.

use std::collections::HashMap;

use homestay_error::{Error, Result};
use homestay_types::{OrderSn, PaymentSn, RefundSn};

/// Content type of plain answers to callbacks.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// What a provider is to prepare, or has prepared. Its payment number is the idempotency key: preparing it twice gives the
/// same charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepayIntent {
    /// Our number, the provider's `out_trade_no`.
    pub payment_sn: PaymentSn,
    /// The order, for the provider's books.
    pub order_sn: OrderSn,
    /// What the payer reads.
    pub description: String,
    /// In the currency's minor unit.
    pub amount_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// Unix milliseconds after which the provider must not take money.
    pub expires_at_ms: i64,
    /// Who pays, as the provider knows them (WeChat's openid); empty where [`PaymentProvider::needs_payer`] is false, and
    /// when the payment is only looked up or closed.
    pub payer: String,
    /// The provider's own number of the payment, as far as we know it; empty before its first answer.
    pub provider_ref: String,
}

/// What the payer needs to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepay {
    /// Absolute address of a pay page; empty where the provider has none.
    pub pay_url: String,
    /// The provider's own number.
    pub provider_ref: String,
}

/// What a page inside WeChat needs to open the payment: the six fields of JSAPI (contract.md §1.3), freshly signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WechatPrepay {
    /// The app the page belongs to.
    pub appid: String,
    /// Random text.
    pub nonce_str: String,
    /// The merchant's signature over the other fields.
    pub pay_sign: String,
    /// `prepay_id=…`.
    pub package: String,
    /// Unix seconds.
    pub timestamp: String,
    /// `RSA`.
    pub sign_type: String,
}

/// What the provider's books say about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderState {
    /// Waiting for the payer.
    Open,
    /// The money is there.
    Captured {
        /// What was charged before any coupon of the provider's.
        amount_cents: i64,
        /// ISO 4217.
        currency: String,
        /// When, unix milliseconds.
        at_ms: i64,
        /// The provider's own number.
        provider_ref: String,
    },
    /// Declined.
    Failed,
    /// Closed or expired: nobody can pay any more.
    Closed,
    /// It has never heard of it.
    Unknown,
}

/// How closing went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseOutcome {
    /// Nobody can pay any more, as far as the provider says.
    Closed,
    /// Too late: the money is there. Ask for it.
    AlreadyCaptured,
}

/// What a provider is to pay back. Its [`RefundIntent::number`] is the idempotency key: asking twice refunds once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundIntent {
    /// Our number of the refund.
    pub refund_sn: RefundSn,
    /// How often a person has sent it again after it was refused. Providers answer a number that has failed with its failure
    /// for ever, so each attempt has a number of its own.
    pub attempt: i64,
    /// The payment.
    pub payment_sn: PaymentSn,
    /// The provider's own number of the payment.
    pub provider_ref: String,
    /// What goes back, in the currency's minor unit.
    pub amount_cents: i64,
    /// What was paid.
    pub total_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// For the payer.
    pub reason: String,
}

impl RefundIntent {
    /// The number under which the provider knows this attempt.
    #[must_use]
    pub fn number(&self) -> String {
        self.number_of(self.attempt)
    }

    /// The number under which the provider knows another attempt.
    #[must_use]
    pub fn number_of(&self, attempt: i64) -> String {
        match attempt {
            0 => self.refund_sn.to_string(),
            _ => format!("{}-{attempt}", self.refund_sn),
        }
    }
}

/// Our number of a refund and the attempt, of a number as [`RefundIntent::number`] makes it; none of any other.
pub(crate) fn read_refund_number(text: &str) -> Option<(RefundSn, i64)> {
    if let Ok(sn) = text.parse() {
        return Some((sn, 0));
    }
    let (sn, attempt) = text.rsplit_once('-')?;
    let attempt = attempt.parse().ok().filter(|attempt| *attempt > 0)?;
    Some((sn.parse().ok()?, attempt))
}

/// How refunding went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The money is back, or on its way and can no longer be stopped.
    Succeeded,
    /// The provider works on it: a callback follows, or ask again.
    Pending,
    /// It will not; the provider's words.
    Refused(String),
}

/// What kind of news a callback brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The money is there.
    Captured,
    /// Declined.
    Failed,
    /// Nobody can pay any more.
    Closed,
    /// Money went back.
    Refunded,
    /// A refund will not happen: somebody has to look.
    RefundFailed,
    /// Genuine, and nothing to us: answered with success, so that it is not sent again.
    Other,
}

/// A callback whose signature and time were good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The provider's id of the event, the same at every delivery.
    pub event_id: String,
    /// Our number, as the provider repeats it; empty if [`EventKind::Other`], and where the provider gives only its own.
    pub payment_sn: String,
    /// Our number of the refund; empty if it is about none, or the provider refunded of its own accord.
    pub refund_sn: String,
    /// Which [`RefundIntent::attempt`] of that refund it is about.
    pub refund_attempt: i64,
    /// The provider's own number of the refund, the same in all that is told of it; empty if it is about none.
    pub provider_refund: String,
    /// What happened.
    pub kind: EventKind,
    /// What was charged or, of an event about a refund, what that refund is about: the amount to be compared.
    pub total_cents: i64,
    /// What is left of it for the payer after coupons; for the books only (holes.md B09).
    pub payer_total_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// When, unix milliseconds.
    pub occurred_at_ms: i64,
    /// The provider's own number of the payment.
    pub provider_ref: String,
}

impl ProviderEvent {
    /// An event that is nothing to us.
    #[must_use]
    pub fn other(event_id: String) -> Self {
        Self {
            event_id,
            payment_sn: String::new(),
            refund_sn: String::new(),
            refund_attempt: 0,
            provider_refund: String::new(),
            kind: EventKind::Other,
            total_cents: 0,
            payer_total_cents: 0,
            currency: String::new(),
            occurred_at_ms: 0,
            provider_ref: String::new(),
        }
    }
}

/// A payment provider. Every call may be repeated: the numbers of payments and of refunds' attempts are its idempotency keys.
///
/// A provider that does not answer is [`homestay_error::Code::Provider`] (or another transient code): nothing is known then
/// about what it did.
#[tonic::async_trait]
pub trait PaymentProvider: std::fmt::Debug + Send + Sync {
    /// Name in the database, in settings and in addresses.
    fn name(&self) -> &'static str;

    /// Kind of payment as the contract's `payType` shows it.
    fn pay_type(&self) -> &'static str;

    /// Whether [`PrepayIntent::payer`] must be filled.
    fn needs_payer(&self) -> bool {
        false
    }

    /// Prepares a payment, or finds the one prepared before.
    ///
    /// # Errors
    /// [`homestay_error::Code::ProviderRefused`] if it will not, however often it is asked.
    async fn prepay(&self, intent: &PrepayIntent) -> Result<Prepay>;

    /// What the payer's browser needs beside the address of a pay page, for a payment that was prepared under
    /// `provider_ref`. Asks nobody.
    ///
    /// # Errors
    /// [`homestay_error::Code::Internal`] if it cannot be signed.
    fn in_browser(&self, provider_ref: &str) -> Result<Option<WechatPrepay>> {
        let _ = provider_ref;
        Ok(None)
    }

    /// Looks a payment up in the provider's books.
    async fn query(&self, intent: &PrepayIntent) -> Result<ProviderState>;

    /// Makes an open payment unpayable.
    async fn close(&self, intent: &PrepayIntent) -> Result<CloseOutcome>;

    /// Pays back. Asked again with the same number it answers how the refund stands. What an earlier attempt came to after all
    /// counts for a later one, so that none pays what another has paid.
    async fn refund(&self, intent: &RefundIntent) -> Result<RefundOutcome>;

    /// Our number of the payment that the provider knows under this number of its own; none if it is nothing to us.
    async fn payment_of(&self, provider_ref: &str) -> Result<Option<String>> {
        let _ = provider_ref;
        Ok(None)
    }

    /// Checks signature and time of a callback, then reads it. Header names are in lower case.
    ///
    /// # Errors
    /// [`homestay_error::Code::BadSignature`] unless it is the provider's and recent,
    /// [`homestay_error::Code::BadCallback`] if it cannot be read.
    fn parse_callback(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent>;

    /// What the provider reads when its callback is not taken: content type and body.
    fn refusal(&self, error: &Error) -> (&'static str, &'static str) {
        let _ = error;
        (TEXT, "FAIL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_refunds_are_read_back_and_no_others() {
        let sn: RefundSn = "RFD2026112110160000000002".parse().unwrap();
        for (text, read) in [
            ("RFD2026112110160000000002", Some(0)),
            ("RFD2026112110160000000002-1", Some(1)),
            ("RFD2026112110160000000002-12", Some(12)),
            ("RFD2026112110160000000002-0", None),
            ("RFD2026112110160000000002--1", None),
            ("RFD2026112110160000000002-", None),
            ("RFD2026112110160000000002-x", None),
            ("50300000002026-1", None),
            ("", None),
        ] {
            let expected = read.map(|attempt| (sn.clone(), attempt));
            assert_eq!(read_refund_number(text), expected, "{text}");
        }
    }
}
