//! Events of Stripe: whose they are, and what they say.

use std::collections::HashMap;

use homestay_error::{Code, Error, Result};
use homestay_types::{PaymentSn, RefundSn};

use super::messages::{Event, PAYMENT_SN, REFUND_SN, Refund, Session};
use super::{Stripe, money, signature};
use crate::provider::{EventKind, ProviderEvent};

fn refused(why: &'static str) -> Error {
    Error::new(Code::BadCallback).source(why)
}

impl Stripe {
    pub(super) fn parse(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent> {
        let header = headers.get(signature::HEADER).map(String::as_str);
        signature::verify(&self.webhook_secrets, header, body, now_ms)?;
        let event: Event = serde_json::from_slice(body).map_err(|_| refused("unreadable body"))?;
        // A test endpoint's secret beside the live one must not let play money pay.
        if event.livemode != Some(self.live) {
            return Err(refused("of the other mode, live or test, than our key"));
        }
        match event.kind.as_str() {
            "checkout.session.completed"
            | "checkout.session.async_payment_succeeded"
            | "checkout.session.async_payment_failed"
            | "checkout.session.expired" => about_session(event),
            // Each refund tells of itself, those made in Stripe's dashboard too; charge.refunded only adds them up.
            "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
                about_refund(event)
            }
            _ => Ok(ProviderEvent::other(event.id)),
        }
    }
}

fn about_session(event: Event) -> Result<ProviderEvent> {
    let session: Session =
        serde_json::from_value(event.data.object).map_err(|_| refused("unreadable session"))?;
    let ours = session.payment_sn().and_then(|sn| sn.parse::<PaymentSn>().ok());
    let kind = match (event.kind.as_str(), session.payment_status.as_str()) {
        ("checkout.session.completed" | "checkout.session.async_payment_succeeded", "paid") => {
            EventKind::Captured
        }
        ("checkout.session.async_payment_failed", _) => EventKind::Failed,
        ("checkout.session.expired", _) => EventKind::Closed,
        // Completed, and the money still on its way.
        _ => EventKind::Other,
    };
    // The account may sell other things too.
    let (Some(ours), false) = (ours, kind == EventKind::Other) else {
        return Ok(ProviderEvent::other(event.id));
    };
    let currency = session
        .currency
        .as_deref()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let total = money::from_stripe(&currency, session.amount_total.unwrap_or_default())
        .ok_or_else(|| refused("no such amount"))?;
    Ok(ProviderEvent {
        provider_ref: session.reference().to_owned(),
        event_id: event.id,
        payment_sn: ours.into(),
        refund_sn: String::new(),
        refund_attempt: 0,
        provider_refund: String::new(),
        kind,
        total_cents: total,
        payer_total_cents: total,
        currency,
        occurred_at_ms: event.created.saturating_mul(1000),
    })
}

fn about_refund(event: Event) -> Result<ProviderEvent> {
    let refund: Refund =
        serde_json::from_value(event.data.object).map_err(|_| refused("unreadable refund"))?;
    let status = refund.status.as_deref().unwrap_or_default();
    let kind = match status {
        "succeeded" => EventKind::Refunded,
        "failed" | "canceled" => EventKind::RefundFailed,
        _ => return Ok(ProviderEvent::other(event.id)),
    };
    let reference = refund.payment_intent.clone().unwrap_or_default();
    let payment_sn = refund.metadata(PAYMENT_SN);
    if payment_sn.is_empty() && reference.is_empty() {
        return Ok(ProviderEvent::other(event.id));
    }
    let refund_sn = refund.metadata(REFUND_SN);
    let currency = refund.currency.to_ascii_uppercase();
    let total = money::from_stripe(&currency, refund.amount).ok_or_else(|| refused("no such amount"))?;
    Ok(ProviderEvent {
        // Stripe tells the same of a refund by several events: this is what they have in common.
        event_id: format!("{}:{status}", refund.id),
        payment_sn: payment_sn.to_owned(),
        refund_sn: if refund_sn.parse::<RefundSn>().is_ok() {
            refund_sn.to_owned()
        } else {
            String::new()
        },
        refund_attempt: refund.attempt(),
        provider_refund: refund.id,
        kind,
        total_cents: total,
        payer_total_cents: total,
        currency,
        occurred_at_ms: event.created.saturating_mul(1000),
        provider_ref: reference,
    })
}
