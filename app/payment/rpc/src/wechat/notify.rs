//! Notifications of WeChat Pay: whose they are, and what they say.

use std::collections::HashMap;

use homestay_error::{Code, Error, Result};

use super::messages::{Notification, RefundNews, Transaction};
use super::{CURRENCY, WechatPay, milliseconds};
use crate::provider::{EventKind, ProviderEvent, read_refund_number};

/// How far the time of a signature may lie from ours, seconds.
const WINDOW_S: u64 = 300;

fn refused(why: &'static str) -> Error {
    Error::new(Code::BadCallback).source(why)
}

impl WechatPay {
    /// Checks the signature that WeChat puts on its notifications and answers alike; `header` finds a header by its name in
    /// lower case.
    pub(super) fn verify<'h>(
        &self,
        header: impl Fn(&'static str) -> Option<&'h str>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<()> {
        let refused = |why: &'static str| Error::new(Code::BadSignature).source(why);
        let header = |name| header(name).ok_or_else(|| refused("no signature"));
        let (serial, signature) = (header("wechatpay-serial")?, header("wechatpay-signature")?);
        let (at, nonce) = (header("wechatpay-timestamp")?, header("wechatpay-nonce")?);
        let at_s: i64 = at.parse().map_err(|_| refused("malformed time"))?;
        let mut message = format!("{at}\n{nonce}\n").into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        self.platform.verify(serial, &message, signature)?;
        if at_s.abs_diff(now_ms.div_euclid(1000)) > WINDOW_S {
            return Err(refused("too old, or from the future"));
        }
        Ok(())
    }

    pub(super) fn parse(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent> {
        self.verify(|name| headers.get(name).map(String::as_str), body, now_ms)?;
        let said: Notification = serde_json::from_slice(body).map_err(|_| refused("unreadable body"))?;
        let is_refund = said.event_type.starts_with("REFUND.");
        if !is_refund && said.event_type != "TRANSACTION.SUCCESS" {
            return Ok(nothing_to_us(said.id));
        }
        if said.resource.algorithm != "AEAD_AES_256_GCM" {
            return Err(refused("sealed in an unknown way"));
        }
        let resource = self
            .resource
            .open(
                &said.resource.nonce,
                &said.resource.associated_data,
                &said.resource.ciphertext,
            )
            .ok_or_else(|| refused("cannot be opened with our APIv3 key"))?;
        if is_refund {
            let news: RefundNews =
                serde_json::from_slice(&resource).map_err(|_| refused("unreadable refund"))?;
            self.about_refund(said, news)
        } else {
            let news: Transaction =
                serde_json::from_slice(&resource).map_err(|_| refused("unreadable payment"))?;
            self.about_payment(said, news)
        }
    }

    fn about_payment(&self, said: Notification, news: Transaction) -> Result<ProviderEvent> {
        if news.mchid != self.mch_id || news.appid != self.app_id {
            return Err(refused("of another merchant or app"));
        }
        let kind = match news.trade_state.as_str() {
            "SUCCESS" => EventKind::Captured,
            "PAYERROR" => EventKind::Failed,
            "CLOSED" | "REVOKED" => EventKind::Closed,
            // Still in the payer's hands, or told by refunds' own notifications.
            _ => return Ok(nothing_to_us(said.id)),
        };
        let at = if news.success_time.is_empty() {
            &said.create_time
        } else {
            &news.success_time
        };
        Ok(ProviderEvent {
            occurred_at_ms: milliseconds(at).ok_or_else(|| refused("malformed time"))?,
            event_id: said.id,
            payment_sn: news.out_trade_no,
            refund_sn: String::new(),
            refund_attempt: 0,
            provider_refund: String::new(),
            kind,
            total_cents: news.amount.total,
            payer_total_cents: news.amount.payer_total,
            currency: or_ours(news.amount.currency),
            provider_ref: news.transaction_id,
        })
    }

    fn about_refund(&self, said: Notification, news: RefundNews) -> Result<ProviderEvent> {
        if news.mchid != self.mch_id {
            return Err(refused("of another merchant"));
        }
        let kind = match news.refund_status.as_str() {
            "SUCCESS" => EventKind::Refunded,
            "CLOSED" | "ABNORMAL" => EventKind::RefundFailed,
            _ => return Ok(nothing_to_us(said.id)),
        };
        let at = if news.success_time.is_empty() {
            &said.create_time
        } else {
            &news.success_time
        };
        // Refunds made in the merchant's own console have numbers of another form.
        let ours = read_refund_number(&news.out_refund_no);
        let (refund_sn, refund_attempt) =
            ours.map_or_else(Default::default, |(sn, attempt)| (sn.into(), attempt));
        let provider_refund = if news.refund_id.is_empty() {
            news.out_refund_no
        } else {
            news.refund_id
        };
        Ok(ProviderEvent {
            occurred_at_ms: milliseconds(at).ok_or_else(|| refused("malformed time"))?,
            event_id: said.id,
            payment_sn: news.out_trade_no,
            refund_sn,
            refund_attempt,
            provider_refund,
            kind,
            total_cents: news.amount.refund,
            payer_total_cents: news.amount.payer_refund,
            currency: CURRENCY.to_owned(),
            provider_ref: news.transaction_id,
        })
    }
}

fn or_ours(currency: String) -> String {
    if currency.is_empty() {
        CURRENCY.to_owned()
    } else {
        currency
    }
}

fn nothing_to_us(event_id: String) -> ProviderEvent {
    ProviderEvent::other(event_id)
}
