//! A payment provider that moves no money, for demonstrations and tests.
//!
//! It plays somebody outside: it has books of its own, a pay page whose address nobody can guess, and answers through a
//! signed callback over HTTP, on the same road a real provider takes. Its callbacks are durable: pressing a button writes
//! the charge and the job that delivers the callback in one transaction.

mod charge;
mod deliver;
mod page;
mod signature;

use std::collections::HashMap;
use std::sync::Arc;

use homestay_clock::{Clock, Ids, secret_token};
use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::order::order_client::OrderClient;
use homestay_rpc::Channel;
use serde::{Deserialize, Serialize};

pub use charge::{Charge, ChargeState};
pub use signature::{HEADER, sign, verify};

use crate::config::Config;
use crate::provider::{
    CloseOutcome, EventKind, PaymentProvider, Prepay, PrepayIntent, ProviderEvent, ProviderState,
    RefundIntent, RefundOutcome, read_refund_number,
};

/// The provider's name.
pub const NAME: &str = "sandbox";

/// Path of the pay page, before the token.
const PAGE_PATH: &str = "/sandbox/pay/";
/// Where callbacks go.
const CALLBACK_PATH: &str = "/payment/v1/thirdPayment/sandboxCallback";

/// The sandbox. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Sandbox {
    db: Db,
    ids: Ids,
    clock: Clock,
    order: OrderClient<Channel>,
    http: reqwest::Client,
    secret: Arc<[u8]>,
    page_base: Arc<str>,
    callback_url: Arc<str>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("page_base", &self.page_base)
            .field("callback_url", &self.callback_url)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox with its books in the payment database. Anybody with a pay link can "pay": only a demonstration may make
    /// one, and the program refuses it anywhere else.
    ///
    /// `secret` signs the callbacks; `order` tells it when an order has closed (for late money).
    #[must_use]
    pub fn for_demonstration(
        db: Db,
        ids: Ids,
        clock: Clock,
        order: OrderClient<Channel>,
        config: &Config,
        secret: &str,
    ) -> Self {
        let public = config.public_base_url.trim_end_matches('/');
        let callback = config
            .callback_base_url
            .as_deref()
            .unwrap_or(public)
            .trim_end_matches('/');
        Self {
            db,
            ids,
            clock,
            order,
            http: homestay_http::client(config.callback_timeout),
            secret: secret.as_bytes().into(),
            page_base: format!("{public}{PAGE_PATH}").into(),
            callback_url: format!("{callback}{CALLBACK_PATH}").into(),
        }
    }

    fn prepared(&self, charge: &Charge) -> Prepay {
        Prepay {
            pay_url: format!("{}{}", self.page_base, charge.token),
            provider_ref: reference(&charge.payment_sn),
        }
    }
}

/// The sandbox's own number of a charge. Not the token: whoever has that can pay.
fn reference(payment_sn: &str) -> String {
    format!("sandbox-{payment_sn}")
}

/// Body of a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The same at every delivery.
    pub event_id: String,
    /// `captured`, `failed`, `closed`, `refunded` or `refund_failed`.
    pub kind: String,
    /// The merchant's number.
    pub payment_sn: String,
    /// The merchant's number of the refund; empty if it is about none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refund_sn: String,
    /// What was due, or what was refunded.
    pub total_cents: i64,
    /// What the payer paid after coupons.
    pub payer_total_cents: i64,
    /// ISO 4217.
    pub currency: String,
    /// Unix milliseconds.
    pub occurred_at_ms: i64,
}

#[tonic::async_trait]
impl PaymentProvider for Sandbox {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pay_type(&self) -> &'static str {
        "SANDBOX"
    }

    async fn prepay(&self, intent: &PrepayIntent) -> Result<Prepay> {
        let new = Charge {
            token: secret_token(),
            payment_sn: intent.payment_sn.to_string(),
            order_sn: intent.order_sn.to_string(),
            description: intent.description.clone(),
            amount_cents: intent.amount_cents,
            currency: intent.currency.clone(),
            state: ChargeState::Open,
            expires_at_ms: intent.expires_at_ms,
            captured_at_ms: 0,
            failed_at_ms: 0,
            refunded_at_ms: 0,
            refund_key: String::new(),
            refunded_cents: 0,
        };
        let charge = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    charge::insert(tx, &new).await?;
                    charge::by_payment(&mut **tx, &new.payment_sn).await
                })
            })
            .await?
            .ok_or_else(|| Error::internal("a charge is gone"))?;
        Ok(self.prepared(&charge))
    }

    async fn query(&self, intent: &PrepayIntent) -> Result<ProviderState> {
        let charge = charge::by_payment(self.db.read(), intent.payment_sn.as_str()).await?;
        let Some(charge) = charge.map(|charge| charge.at(self.clock.now_ms())) else {
            return Ok(ProviderState::Unknown);
        };
        Ok(match charge.state {
            // Late money is not there yet.
            ChargeState::Open | ChargeState::Late => ProviderState::Open,
            ChargeState::Captured | ChargeState::Refunded => ProviderState::Captured {
                amount_cents: charge.amount_cents,
                currency: charge.currency,
                at_ms: charge.captured_at_ms,
                provider_ref: reference(&charge.payment_sn),
            },
            ChargeState::Failed => ProviderState::Failed,
            ChargeState::Closed => ProviderState::Closed,
        })
    }

    async fn close(&self, intent: &PrepayIntent) -> Result<CloseOutcome> {
        let sn = intent.payment_sn.to_string();
        let charge = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    charge::close(tx, &sn).await?;
                    charge::by_payment(&mut **tx, &sn).await
                })
            })
            .await?;
        // Late money stays late and says nothing, as a payment that is under way elsewhere would.
        Ok(match charge.map(|charge| charge.state) {
            Some(ChargeState::Captured | ChargeState::Refunded) => CloseOutcome::AlreadyCaptured,
            _ => CloseOutcome::Closed,
        })
    }

    async fn refund(&self, intent: &RefundIntent) -> Result<RefundOutcome> {
        let intent = intent.clone();
        let (ids, now_ms) = (self.ids.clone(), self.clock.now_ms());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let (sn, number) = (intent.payment_sn.as_str(), intent.number());
                    let key = number.as_str();
                    let done = charge::refund(tx, sn, intent.amount_cents, key, now_ms).await?;
                    let Some(charge) = charge::by_payment(&mut **tx, sn).await? else {
                        return Ok(RefundOutcome::Refused("no such charge".to_owned()));
                    };
                    if done {
                        deliver::announce_refund(tx, &ids, &charge, key).await?;
                    }
                    let known = charge::refunded(&mut **tx, key).await?;
                    Ok(
                        if known.is_some_and(|known| known.amount_cents == intent.amount_cents) {
                            RefundOutcome::Succeeded
                        } else {
                            RefundOutcome::Refused(format!(
                                "a charge of {} that is {}, of which {} went back",
                                charge.amount_cents,
                                charge.state.as_str(),
                                charge.refunded_cents
                            ))
                        },
                    )
                })
            })
            .await
    }

    fn parse_callback(
        &self,
        headers: &HashMap<String, String>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<ProviderEvent> {
        let header = headers.get(HEADER).map(String::as_str);
        verify(&self.secret, header, body, now_ms.div_euclid(1000))?;
        let refused = |why: &'static str| Error::new(Code::BadCallback).source(why);
        let said: Notification = serde_json::from_slice(body).map_err(|_| refused("unreadable body"))?;
        let kind = match said.kind.as_str() {
            "captured" => EventKind::Captured,
            "failed" => EventKind::Failed,
            "closed" => EventKind::Closed,
            "refunded" => EventKind::Refunded,
            "refund_failed" => EventKind::RefundFailed,
            _ => return Err(refused("unknown kind")),
        };
        let (refund_sn, refund_attempt) = match read_refund_number(&said.refund_sn) {
            Some((sn, attempt)) => (sn.into(), attempt),
            None => (said.refund_sn, 0),
        };
        Ok(ProviderEvent {
            provider_ref: reference(&said.payment_sn),
            event_id: said.event_id,
            payment_sn: said.payment_sn,
            refund_sn,
            refund_attempt,
            provider_refund: String::new(),
            kind,
            total_cents: said.total_cents,
            payer_total_cents: said.payer_total_cents,
            currency: said.currency,
            occurred_at_ms: said.occurred_at_ms,
        })
    }
}
