//! Gives money back: late money that buys nothing, second payments, and amounts that are not the order's.

use homestay_error::Result;

use crate::OrderService;
use crate::due::{self, Money, Payment};
use crate::entries;
use crate::order::Order;
use crate::rules::State;
use crate::step::{Name, Step};
use crate::store;

/// Why late money goes back when travel had given the nights up before the order took them.
pub(crate) const NIGHTS_GONE: &str = "the nights were given back";

impl OrderService {
    /// Cancelled → refund pending: the order's history says that the payment came and why it goes back.
    pub(crate) async fn give_back(&self, order: &Order, payment: &Payment, why: &str) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, payment, why) = (order.clone(), payment.clone(), format!("late payment: {why}"));
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::give_back(tx, &order, &payment, now_ms).await? {
                        return Ok(false);
                    }
                    let attempt = order.attempt + 1;
                    let steps = vec![
                        Step::begun(Name::PreProcessing, attempt, now_ms, &node)
                            .error(&why)
                            .undoing(now_ms),
                        Step::done(Name::Failed, attempt, now_ms, &node).error(&why),
                    ];
                    store::steps::insert(tx, order.sn.as_str(), steps).await?;
                    let event = entries::changed(&ids, &order.sn, State::RefundPending, "refund_pending");
                    homestay_outbox::push(tx, &ids, vec![event]).await?;
                    Ok(true)
                })
            })
            .await?;
        if changed {
            crate::count("refund_pending");
        }
        Ok(())
    }

    /// Confirmed → refund pending, as the money is gone: everything the order did is undone.
    pub(crate) async fn reverse(&self, order: &Order, payment: &Payment) -> Result<()> {
        const WHY: &str = "the payment was refunded by the provider";
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, payment) = (order.clone(), payment.clone());
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::give_back(tx, &order, &payment, now_ms).await? {
                        return Ok(false);
                    }
                    let (sn, attempt) = (order.sn.as_str(), order.attempt);
                    store::steps::undo(tx, sn, attempt, WHY, now_ms).await?;
                    let failed = Step::done(Name::Failed, attempt, now_ms, &node).error(WHY);
                    store::steps::insert(tx, sn, vec![failed]).await?;
                    let event = entries::changed(&ids, &order.sn, State::RefundPending, "refund_pending");
                    homestay_outbox::push(tx, &ids, vec![event]).await?;
                    Ok(true)
                })
            })
            .await?;
        if changed {
            crate::count("refund_pending");
        }
        Ok(())
    }

    /// Refund pending → refunded.
    pub(crate) async fn note_refunded(&self, order: &Order) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let (ids, order) = (self.ids.clone(), order.clone());
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::refunded(tx, &order, now_ms).await? {
                        return Ok(false);
                    }
                    store::steps::payment_undone(tx, order.sn.as_str(), now_ms).await?;
                    let event = entries::changed(&ids, &order.sn, State::Refunded, "refunded");
                    homestay_outbox::push(tx, &ids, vec![event]).await?;
                    Ok(true)
                })
            })
            .await?;
        if changed {
            crate::count("refunded");
        }
        Ok(())
    }

    /// Asks payment-rpc for every refund that is owed. One that cannot be asked for does not keep the others waiting.
    pub(crate) async fn ask_for_refunds(&self, order: &Order, money: &Money) -> Result<()> {
        let mut trouble = Ok(());
        for (payment, why) in due::refunds(order, money) {
            if payment.sn != order.payment_sn {
                tracing::error!(
                    order.sn = %order.sn,
                    payment.sn = %payment.sn,
                    amount_cents = payment.amount_cents,
                    total_cents = order.total_cents,
                    "captured money does not pay its order and is refunded: {why}"
                );
            }
            trouble = trouble.and(self.refund(&payment.sn, why).await);
        }
        trouble
    }
}
