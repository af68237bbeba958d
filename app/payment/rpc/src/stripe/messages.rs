//! What comes over the wire from Stripe, as far as we use it.

use std::collections::HashMap;

use serde::Deserialize;

/// Key of our payment number in the metadata of sessions, payment intents and refunds.
pub(super) const PAYMENT_SN: &str = "payment_sn";
/// Key of our refund number.
pub(super) const REFUND_SN: &str = "refund_sn";
/// Key of the attempt of our refund; none is the first.
pub(super) const ATTEMPT: &str = "attempt";

#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub id: String,
    /// `open`, `complete` or `expired`.
    #[serde(default)]
    pub status: Option<String>,
    /// `paid`, `unpaid` or `no_payment_required`.
    #[serde(default)]
    pub payment_status: String,
    #[serde(default)]
    pub client_reference_id: Option<String>,
    #[serde(default)]
    pub metadata: Option<HashMap<String, String>>,
    #[serde(default)]
    pub amount_total: Option<i64>,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub payment_intent: Option<IntentOrId>,
    /// Of the pay page; null once the session is over.
    #[serde(default)]
    pub url: Option<String>,
}

impl Session {
    /// Our payment number.
    pub fn payment_sn(&self) -> Option<&str> {
        self.client_reference_id.as_deref().or_else(|| {
            let metadata = self.metadata.as_ref()?;
            metadata.get(PAYMENT_SN).map(String::as_str)
        })
    }

    /// By what it is best known from now on: the payment intent if there is one.
    pub fn reference(&self) -> &str {
        match &self.payment_intent {
            Some(IntentOrId::Id(id)) => id,
            Some(IntentOrId::Intent(intent)) => &intent.id,
            None => &self.id,
        }
    }

    /// The payment intent, where it was asked for.
    pub fn intent(&self) -> Option<&Intent> {
        match &self.payment_intent {
            Some(IntentOrId::Intent(intent)) => Some(intent),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum IntentOrId {
    Id(String),
    Intent(Box<Intent>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub amount_received: i64,
    #[serde(default)]
    pub currency: String,
    #[serde(default)]
    pub latest_charge: Option<ChargeOrId>,
    #[serde(default)]
    pub metadata: Option<HashMap<String, String>>,
}

impl Intent {
    /// Our payment number.
    pub fn payment_sn(&self) -> Option<&str> {
        let metadata = self.metadata.as_ref()?;
        metadata.get(PAYMENT_SN).map(String::as_str)
    }

    /// When the money came, unix milliseconds, where the charge was asked for.
    pub fn paid_at_ms(&self) -> Option<i64> {
        match &self.latest_charge {
            Some(ChargeOrId::Charge { created }) => created.checked_mul(1000),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ChargeOrId {
    Id(#[expect(dead_code, reason = "tells the two forms apart")] String),
    Charge { created: i64 },
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    #[serde(default)]
    pub amount: i64,
    #[serde(default)]
    pub currency: String,
    #[serde(default)]
    pub metadata: Option<HashMap<String, String>>,
    #[serde(default)]
    pub payment_intent: Option<String>,
}

impl Refund {
    pub fn metadata(&self, key: &str) -> &str {
        let known = self.metadata.as_ref().and_then(|metadata| metadata.get(key));
        known.map_or("", String::as_str)
    }

    /// Whether its money has stayed, or come back to us.
    pub fn has_failed(&self) -> bool {
        matches!(self.status.as_deref(), Some("failed" | "canceled"))
    }

    /// Which attempt of our refund it is.
    pub fn attempt(&self) -> i64 {
        self.metadata(ATTEMPT).parse().unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub created: i64,
    #[serde(default)]
    pub livemode: Option<bool>,
    pub data: Data,
}

#[derive(Debug, Deserialize)]
pub(super) struct Data {
    pub object: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub error: Problem,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Problem {
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub message: String,
}
