//! Captured money whose order has not taken it: the event that told of it may have been lost, or given up.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use homestay_error::{Code, Error, Result};
use homestay_outbox::Entry;
use homestay_proto::order as order_pb;
use homestay_rpc::deadline;

use crate::cases::{self, NewCase};
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
    /// There is no such order: somebody has to look.
    NoOrder,
}

/// The rule: whether an order has taken a captured payment, so that nothing is to be done about it. `all` are the order's
/// payments.
fn taken(order: &order_pb::OrderView, payment: &Payment, all: &[Payment]) -> bool {
    let own = order.payment_sn == payment.sn.as_str();
    match order.state.as_str() {
        "confirmed" | "used" | "expired" => {
            let captured = all.iter().filter(|one| one.state == State::Captured);
            let sum: i64 = captured.map(|one| one.amount_cents).sum();
            // The payment of a change is named nowhere: all that was captured is charged.
            own || (payment.charge > 0 && order.charged_cents >= sum)
        }
        // A part is kept, the other is on its way.
        "cancelled" | "refunded" => {
            let back: i64 = all.iter().map(|one| one.refund_reserved_cents).sum();
            own && order.kept_cents > 0 && back >= order.refund_cents
        }
        _ => false,
    }
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
                match store::of_order(self.db.read(), payment.order_sn.as_str()).await {
                    Ok(all) if taken(&order, payment, &all) => return Verdict::Settled,
                    Ok(_) => {}
                    Err(_) => return Verdict::Later,
                }
                tracing::warn!(payment.sn = %payment.sn, order.sn = %payment.order_sn, order.state,
                    "captured money is not settled; its event is published again");
                Verdict::Tell
            }
            Err(error) => {
                if error.code() == Code::OrderNotFound {
                    return Verdict::NoOrder;
                }
                tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "order-rpc could not be asked about captured money");
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
                            Verdict::NoOrder => {
                                let case = NewCase {
                                    detail: "money was captured for an order that does not exist".to_owned(),
                                    ..cases::about(cases::MONEY_WITHOUT_ORDER, &payment, sn.clone())
                                };
                                cases::open(tx, &ids, &case, now_ms).await?;
                                open.push(sn);
                            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::a_payment;

    #[test]
    fn which_orders_have_taken_a_payment() {
        let (own, other) = (a_payment().sn.to_string(), "PMT2026112110160000000009");
        // State, the order's payment, charge, charged, kept, refunded; whether it is taken.
        let table = [
            ("confirmed", own.as_str(), 0, 0, 0, 0, true),
            ("used", own.as_str(), 0, 25_600, 0, 0, true),
            ("expired", own.as_str(), 0, 25_600, 0, 0, true),
            ("confirmed", other, 0, 25_600, 0, 0, false),
            ("confirmed", other, 2, 25_600, 0, 0, true),
            ("confirmed", other, 2, 25_599, 0, 0, false),
            ("awaiting_payment", "", 0, 0, 0, 0, false),
            ("cancelled", "", 0, 0, 0, 0, false),
            ("cancelled", own.as_str(), 0, 25_600, 25_500, 100, true),
            ("cancelled", own.as_str(), 0, 25_600, 25_000, 600, false),
            ("cancelled", own.as_str(), 0, 25_600, 0, 0, false),
            ("refund_pending", own.as_str(), 0, 25_600, 0, 25_600, false),
        ];
        for (state, payment_sn, charge, charged_cents, kept_cents, refund_cents, want) in table {
            let order = order_pb::OrderView {
                state: state.to_owned(),
                payment_sn: payment_sn.to_owned(),
                charged_cents,
                kept_cents,
                refund_cents,
                ..Default::default()
            };
            let payment = Payment {
                state: State::Captured,
                refund_reserved_cents: 100,
                charge,
                ..a_payment()
            };
            let got = taken(&order, &payment, std::slice::from_ref(&payment));
            assert_eq!(
                got, want,
                "{state} {payment_sn} {charge} {charged_cents} {kept_cents}"
            );
        }
    }
}
