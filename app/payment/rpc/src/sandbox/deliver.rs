use homestay_clock::Ids;
use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use homestay_jobs::NewJob;
use homestay_outbox::Entry;
use homestay_proto::order as order_pb;
use homestay_types::job;
use serde_json::json;

use super::charge::{self, Charge, ChargeState};
use super::{HEADER, Notification, Sandbox, sign};
use crate::create::AWAITING_PAYMENT;

/// Bounds of the time after which a late capture looks at its order again, milliseconds.
const LOOK_AGAIN_MS: (i64, i64) = (300, 5_000);

/// Writes the job that follows from the state a charge has just entered: a callback, or the wait for late money.
pub(super) async fn announce(tx: &mut Tx, ids: &Ids, charge: &Charge) -> Result<()> {
    if charge.state == ChargeState::Late {
        return look_at_order(tx, ids, charge, 0, 0).await;
    }
    let event_id = event_id(charge);
    call_back(tx, ids, charge, &event_id).await
}

/// Writes the job that tells of a refund.
pub(super) async fn announce_refund(tx: &mut Tx, ids: &Ids, charge: &Charge, refund_sn: &str) -> Result<()> {
    call_back(tx, ids, charge, &format!("refunded-{refund_sn}")).await
}

async fn call_back(tx: &mut Tx, ids: &Ids, charge: &Charge, event_id: &str) -> Result<()> {
    let payload = json!({ "token": charge.token, "what": "callback", "event_id": event_id });
    let job = NewJob::new(job::PAYMENT_SANDBOX, &payload).unique(format!("sandbox:{event_id}"));
    homestay_outbox::push(tx, ids, vec![Entry::job(job)]).await
}

/// Writes the job that takes look number `look` at the order of a late charge. A chain of jobs, each once: the wait may be
/// as long as a booking's, and a job that failed so often would be a dead letter long before.
async fn look_at_order(tx: &mut Tx, ids: &Ids, charge: &Charge, look: u32, due_at_ms: i64) -> Result<()> {
    let payload = json!({ "token": charge.token, "what": "capture_late", "event_id": look.to_string() });
    let job = NewJob::new(job::PAYMENT_SANDBOX, &payload)
        .due_at_ms(due_at_ms)
        .unique(format!("sandbox:late-{}-{look}", charge.payment_sn));
    homestay_outbox::push(tx, ids, vec![Entry::job(job)]).await
}

/// A charge enters a state once, so that the state's name makes the event's id.
fn event_id(charge: &Charge) -> String {
    format!("{}-{}", charge.state.as_str(), charge.payment_sn)
}

impl Sandbox {
    /// Does what a job of the sandbox says: `callback` delivers the event, `capture_late` looks whether the order has closed
    /// (`event_id` counts the looks). Repeating it changes nothing.
    ///
    /// # Errors
    /// [`Code::Unavailable`] if the callback is not accepted; those of order-rpc.
    pub(crate) async fn deliver(&self, token: &str, what: &str, event_id: &str) -> Result<()> {
        let charge = charge::by_token(self.db.read(), token)
            .await?
            .ok_or_else(|| Error::new(Code::NotFound))?;
        match what {
            "callback" => self.call_back(&charge, event_id).await,
            "capture_late" => {
                let look = event_id
                    .parse()
                    .map_err(|_| Error::invalid("event_id", "must be a number"))?;
                self.capture_late(&charge, look).await
            }
            _ => Err(Error::invalid("what", "must be callback or capture_late")),
        }
    }

    async fn capture_late(&self, charge: &Charge, look: u32) -> Result<()> {
        if charge.state != ChargeState::Late {
            return Ok(());
        }
        let request = order_pb::GetRequest {
            sn: charge.order_sn.clone(),
            without_steps: true,
        };
        let order = self.order.clone().get(request).await?.into_inner();
        let waits = order.state == AWAITING_PAYMENT;
        let (ids, now_ms, charge) = (self.ids.clone(), self.clock.now_ms(), charge.clone());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if waits {
                        let left_ms = charge.expires_at_ms - now_ms;
                        let again_ms = (left_ms / 10).clamp(LOOK_AGAIN_MS.0, LOOK_AGAIN_MS.1);
                        let next = look.saturating_add(1);
                        return look_at_order(tx, &ids, &charge, next, now_ms + again_ms).await;
                    }
                    if !charge::capture_late(tx, &charge.token, now_ms).await? {
                        return Ok(());
                    }
                    let captured = Charge {
                        state: ChargeState::Captured,
                        ..charge
                    };
                    announce(tx, &ids, &captured).await
                })
            })
            .await
    }

    async fn call_back(&self, charge: &Charge, event_id: &str) -> Result<()> {
        let (kind, number) = event_id.split_once('-').unwrap_or_default();
        let refund = match kind {
            // An event of before there were parts names the payment: its only refund is meant.
            "refunded" if number == charge.payment_sn => {
                charge::refunded(self.db.read(), &charge.refund_key).await?
            }
            "refunded" => charge::refunded(self.db.read(), number).await?,
            _ => None,
        };
        let (at_ms, total_cents) = match (kind, &refund) {
            ("captured", _) => (charge.captured_at_ms, charge.amount_cents),
            ("failed", _) => (charge.failed_at_ms, charge.amount_cents),
            ("refunded", Some(refund)) => (refund.at_ms, refund.amount_cents),
            _ => (0, 0),
        };
        if at_ms == 0 {
            return Err(Error::invalid("event_id", "is no event of this charge"));
        }
        let body = serde_json::to_vec(&Notification {
            event_id: event_id.to_owned(),
            kind: kind.to_owned(),
            payment_sn: charge.payment_sn.clone(),
            refund_sn: refund.map(|refund| refund.refund_sn).unwrap_or_default(),
            total_cents,
            payer_total_cents: total_cents,
            currency: charge.currency.clone(),
            occurred_at_ms: at_ms,
        })
        .map_err(Error::internal)?;
        let signature = sign(&self.secret, self.clock.now_ms().div_euclid(1000), &body);
        let response = self
            .http
            .post(&*self.callback_url)
            .header(HEADER, signature)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .map_err(Error::unavailable)?;
        if !response.status().is_success() {
            return Err(Error::unavailable(format!(
                "the callback {event_id} was answered {}",
                response.status()
            )));
        }
        Ok(())
    }
}
