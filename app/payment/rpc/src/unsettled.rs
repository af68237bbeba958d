//! Captured money whose order has not taken it: the event that told of it may have been lost, or given up.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use homestay_error::{Code, Error, Result};
use homestay_outbox::Entry;
use homestay_proto::order as order_pb;
use homestay_rpc::deadline;

use crate::service::PaymentService;
use crate::settle::status_event;
use crate::state::State;
use crate::store::{self, Payment};
use crate::sweep::has_time;

/// How long after its capture a payment's order is asked.
const ASK_AFTER_MS: i64 = 5 * 60_000;
/// Batches of one sweep: what is left waits for the next.
const BATCHES: usize = 10;
/// Calls to order-rpc at the same time.
const CONCURRENCY: usize = 16;
/// What is kept of the sweep's time to note the answers.
const TO_NOTE: Duration = Duration::from_millis(300);

/// What is to be done about a captured payment.
enum Verdict {
    /// Its order is paid by it.
    Settled,
    /// Its order has not taken it, or must give it back: tell again.
    Tell,
    /// Nobody can say; ask later.
    Later,
}

impl PaymentService {
    /// Asks order-rpc about captured payments that are not settled, and tells it again of those it has not taken; how many
    /// were looked at. The gaps between two looks at the same payment grow.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn settle_captured(&self) -> Result<i64> {
        let now_ms = self.clock.now_ms();
        let mut looked_at = 0;
        for _ in 0..BATCHES {
            if !has_time() {
                break;
            }
            let payments = store::sweep::unsettled(self.db.read(), now_ms - ASK_AFTER_MS, now_ms).await?;
            let full = payments.len() >= store::sweep::UNSETTLED;
            let verdicts: Vec<(Payment, Verdict)> = stream::iter(payments)
                .map(|payment| async move {
                    if !has_time() {
                        return None;
                    }
                    let verdict = self.verdict(&payment).await;
                    Some((payment, verdict))
                })
                .buffer_unordered(CONCURRENCY)
                .filter_map(std::future::ready)
                .collect()
                .await;
            looked_at += i64::try_from(verdicts.len()).unwrap_or(i64::MAX);
            self.note(verdicts, now_ms).await?;
            if !full {
                break;
            }
        }
        Ok(looked_at)
    }

    async fn verdict(&self, payment: &Payment) -> Verdict {
        let request = order_pb::GetRequest {
            sn: payment.order_sn.to_string(),
            without_steps: true,
        };
        let mut order = self.order.clone();
        let call = order.get(request);
        let answer = match deadline::left() {
            Some(left) => deadline::scope(left.saturating_sub(TO_NOTE), call).await,
            None => call.await,
        };
        match answer.map(tonic::Response::into_inner).map_err(Error::from) {
            Ok(order) => {
                let paid = matches!(order.state.as_str(), "confirmed" | "used" | "expired");
                if paid && order.payment_sn == payment.sn.as_str() {
                    return Verdict::Settled;
                }
                tracing::warn!(payment.sn = %payment.sn, order.sn = %payment.order_sn, order.state,
                    "captured money is not settled; its event is published again");
                Verdict::Tell
            }
            Err(error) => {
                if error.code() == Code::OrderNotFound {
                    tracing::error!(payment.sn = %payment.sn, order.sn = %payment.order_sn, "captured money has no order");
                } else {
                    tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "order-rpc could not be asked about captured money");
                }
                Verdict::Later
            }
        }
    }

    async fn note(&self, verdicts: Vec<(Payment, Verdict)>, now_ms: i64) -> Result<()> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let ids = self.ids.clone();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let (mut settled, mut open, mut events) = (Vec::new(), Vec::new(), Vec::new());
                    for (payment, verdict) in verdicts {
                        let sn = payment.sn.to_string();
                        match verdict {
                            Verdict::Settled => settled.push(sn),
                            Verdict::Later => open.push(sn),
                            Verdict::Tell => {
                                // A new id: the first event may have ended as a dead letter, whose id is known.
                                let mut event = status_event(&payment, State::Captured);
                                event.event_id = format!("{}:{}", event.event_id, ids.id());
                                events.push(Entry::event(&event));
                                open.push(sn);
                            }
                        }
                    }
                    store::sweep::settled(tx, settled, now_ms).await?;
                    store::sweep::looked_at(tx, open, now_ms).await?;
                    homestay_outbox::push(tx, &ids, events).await
                })
            })
            .await
    }
}
