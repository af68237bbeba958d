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
    let pays = |one: &Payment| order.payment_sns.iter().any(|sn| sn == one.sn.as_str());
    match order.state.as_str() {
        "confirmed" | "used" | "expired" => pays(payment),
        // A part is kept, the other is on its way.
        "cancelled" | "refunded" => {
            let paying = all.iter().filter(|one| pays(one));
            let back: i64 = paying.map(|one| one.refund_reserved_cents).sum();
            pays(payment) && order.kept_cents > 0 && back >= order.refund_cents
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
                    let mut new_cases = Vec::new();
                    for (payment, verdict) in verdicts {
                        let sn = payment.sn.to_string();
                        match verdict {
                            Verdict::Settled => settled.push(sn),
                            Verdict::Later => open.push(sn),
                            Verdict::NoOrder => {
                                new_cases.push(NewCase {
                                    detail: "money was captured for an order that does not exist".to_owned(),
                                    ..cases::about(cases::MONEY_WITHOUT_ORDER, &payment, sn.clone())
                                });
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
                    for case in new_cases {
                        cases::open(tx, &ids, &case, now_ms).await?;
                    }
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

    /// The order's state, what pays it, kept, decided to go back; then, of 25,600 for the booking (A), 500 for a change (B) and a
    /// late duplicate of it (C), those that are taken. 100 of A are reserved to go back.
    type Row = (
        &'static str,
        &'static [&'static str],
        i64,
        i64,
        &'static [&'static str],
    );

    #[test]
    fn which_payments_an_order_has_taken() {
        let sns = [
            ("A", "PMT2026112110160000000002"),
            ("B", "PMT2026112110160000000003"),
            ("C", "PMT2026112110160000000004"),
        ];
        let sn = |name: &str| sns.iter().find(|one| one.0 == name).map_or("", |one| one.1);
        let table: [Row; 13] = [
            ("confirmed", &["A"], 0, 0, &["A"]),
            ("used", &["A", "B"], 0, 0, &["A", "B"]),
            ("expired", &["A", "B"], 0, 0, &["A", "B"]),
            ("confirmed", &["A", "B"], 0, 100, &["A", "B"]),
            // The duplicate is never among them, whatever the sums are.
            ("confirmed", &["B"], 0, 0, &["B"]),
            ("confirmed", &[], 0, 0, &[]),
            ("awaiting_payment", &[], 0, 0, &[]),
            ("cancelled", &[], 0, 0, &[]),
            // All is kept, also what a change cost.
            ("cancelled", &["A", "B"], 26_000, 100, &["A", "B"]),
            ("cancelled", &["A", "B"], 26_100, 0, &["A", "B"]),
            ("refunded", &["A", "B"], 25_500, 600, &[]),
            ("cancelled", &["A"], 0, 0, &[]),
            ("refund_pending", &["A"], 0, 25_600, &[]),
        ];
        for (state, paying, kept_cents, refund_cents, want) in table {
            let order = order_pb::OrderView {
                state: state.to_owned(),
                payment_sns: paying.iter().map(|name| sn(name).to_owned()).collect(),
                charged_cents: 26_100,
                kept_cents,
                refund_cents,
                ..Default::default()
            };
            let all = sns.map(|(name, sn)| Payment {
                sn: sn.parse().unwrap(),
                state: State::Captured,
                charge: if name == "A" { 0 } else { 2 },
                amount_cents: if name == "A" { 25_600 } else { 500 },
                refund_reserved_cents: if name == "A" { 100 } else { 0 },
                ..a_payment()
            });
            let taken: Vec<_> = sns
                .iter()
                .zip(&all)
                .filter(|(_, payment)| taken(&order, payment, &all))
                .map(|(one, _)| one.0)
                .collect();
            assert_eq!(taken, want, "{state} {paying:?} {kept_cents} {refund_cents}");
        }
    }
}
