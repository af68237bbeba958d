//! Gives money back: late money that buys nothing, second payments, and amounts that are not the order's.

use homestay_error::{Code, Error, Result};

use crate::OrderService;
use crate::books::{Books, Intent};
use crate::due::{self, Money, Owed, Payment};
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
                    store::books::pays(tx, order.sn.as_str(), order.charge, &payment).await?;
                    let all = Intent {
                        payment_sn: payment.sn.clone(),
                        key: String::new(),
                        amount_cents: payment.amount_cents,
                        reason: "order refunded".to_owned(),
                        asked: false,
                    };
                    store::books::give_back(tx, order.sn.as_str(), &all, true, now_ms).await?;
                    let attempt = order.next_attempt();
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
    pub(crate) async fn reverse(&self, order: &Order, books: &Books, payment: &Payment) -> Result<()> {
        const WHY: &str = "the payment was refunded by the provider";
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, payment_sn, paying) = (order.clone(), payment.sn.clone(), books.paying.clone());
        let changed = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::reverse(tx, &order, now_ms).await? {
                        return Ok(false);
                    }
                    for paying in paying.iter().filter(|paying| paying.left_cents() > 0) {
                        let rest = Intent {
                            payment_sn: paying.payment_sn.clone(),
                            key: "reversed".to_owned(),
                            amount_cents: paying.left_cents(),
                            reason: WHY.to_owned(),
                            asked: false,
                        };
                        let ask = paying.payment_sn != payment_sn;
                        store::books::give_back(tx, order.sn.as_str(), &rest, ask, now_ms).await?;
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
    pub(crate) async fn ask_for_refunds(&self, order: &Order, books: &Books, money: &Money) -> Result<()> {
        let mut trouble = Ok(());
        for owed in due::refunds(order, books, money) {
            if !owed.decided {
                tracing::error!(
                    order.sn = %order.sn,
                    payment.sn = %owed.payment_sn,
                    total_cents = order.total_cents,
                    "captured money does not pay its order and is refunded: {}", owed.reason
                );
            }
            trouble = trouble.and(self.ask_for_refund(order, &owed).await);
        }
        trouble
    }

    /// Asks for one. What payment-rpc will never do is for an operator to see to.
    async fn ask_for_refund(&self, order: &Order, owed: &Owed<'_>) -> Result<()> {
        if let Err(never) = self.refund(owed).await {
            if is_later(&never) {
                return Err(never);
            }
            let rest = owed.amount_cents - self.refund_what_is_left(order, owed, &never).await?;
            if rest > 0 || owed.amount_cents == 0 {
                tracing::error!(order.sn = %order.sn, payment.sn = owed.payment_sn, error = %never.chain(), "a refund is refused");
                let owed = Owed {
                    amount_cents: rest,
                    ..owed.clone()
                };
                self.open_case(order, &owed, never.message()).await?;
            }
        }
        if !owed.decided {
            return Ok(());
        }
        let (payment_sn, key) = (owed.payment_sn.to_owned(), owed.key.to_owned());
        let now_ms = self.clock.now_ms();
        self.db
            .write(move |tx| {
                Box::pin(async move { store::books::asked(tx, &payment_sn, &key, now_ms).await })
            })
            .await
    }

    /// Of an ended order's payment that has less left than is owed, as somebody gave of it meanwhile: asks for what is left,
    /// under the same key; how much that is. A repeat finds its own refund.
    async fn refund_what_is_left(&self, order: &Order, owed: &Owed<'_>, why: &Error) -> Result<i64> {
        let less_left = matches!(why.code(), Code::RefundExceeds | Code::IdempotencyKeyReused);
        if !less_left || !owed.decided || owed.key.is_empty() || order.state.keeps_nights() {
            return Ok(0);
        }
        let left = Owed {
            amount_cents: 0,
            ..owed.clone()
        };
        match self.refund(&left).await {
            Ok(cents) => Ok(cents),
            Err(later) if is_later(&later) => Err(later),
            Err(_) => Ok(0),
        }
    }
}

/// Whether to ask again, rather than to have somebody look.
pub(crate) fn is_later(error: &Error) -> bool {
    error.code().is_transient() || error.code().is_ours()
}
