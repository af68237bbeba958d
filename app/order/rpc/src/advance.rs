//! Does what is due for an order: the one re-entrant function behind payment events, the closing job and the sweep.
//!
//! It reads the order, asks payment-rpc once, does the next due thing ([`crate::due::next`]), and looks again until nothing
//! is due; then it asks for the refunds that are owed. It keeps nothing of its own: everything is derived again from rows
//! here, in payment-rpc and in travel-rpc, so a crash between any two lines is repaired by the next run, whoever makes it.
//! There always is one: the payment event and the job are retried until a run succeeds, and the sweep finds what is
//! overdue without either.
//!
//! | a crash after … | leaves | and the next run |
//! |---|---|---|
//! | the guest's wish to cancel | an order awaiting payment, the wish noted, a job for it | closes, cancels for the guest |
//! | closing at payment-rpc | an order awaiting payment that cannot be paid any more | closes again (no change there), goes on |
//! | the confirming transaction | a confirmed order; event and jobs are rows | refunds further captured payments |
//! | the cancelling transaction | nights still held, `released_at_ms = 0` | releases |
//! | `Release` at travel | the same | releases again (no change there), notes it |
//! | `Hold` for late money | nights held under a key that is nobody's | holds again: the same answer. If travel's sweep asked first, the key has a tombstone, the nights are free, and the money goes back |
//! | the transaction to refund pending | no refund asked for | asks |
//! | `Refund` at payment-rpc | refund pending here | asks again (no change there); notes the refund once payment-rpc has |
//!
//! Runs may overlap: every change is one guarded update that starts from the state that was looked at; who comes second
//! changes nothing and looks again. That also is what protects against a job whose lease has passed on: the fencing token
//! of a request decides nothing here.

use homestay_error::{Code, Error, Result};

use crate::OrderService;
use crate::cancel;
use crate::due::{self, At, Money, Next};
use crate::order::Order;
use crate::rules::{By, State};
use crate::store;

/// More rounds than any way through the states has: a guard against going in circles.
const ROUNDS: usize = 12;

impl OrderService {
    /// Does what is due for the order; where it stands afterwards.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`]; those of the peers and the database, to be tried again: what could be done without them
    /// is done.
    pub(crate) async fn advance(&self, sn: &str) -> Result<State> {
        let now_ms = self.clock.now_ms();
        let mut money: Option<Money> = None;
        let mut release_trouble = None;
        for _ in 0..ROUNDS {
            let order = self.order(sn).await?;
            let at = At {
                now_ms,
                today: order.day_at(now_ms)?,
                give_up_ms: self.config.close_give_up_ms(),
                release_failed: release_trouble.is_some(),
            };
            match due::next(&order, money.as_ref(), at) {
                Next::AskMoney => money = Some(self.money(&order, now_ms).await),
                Next::Release => release_trouble = self.give_nights_back(&order).await.err(),
                Next::Confirm(payment) => self.confirm(&order, payment).await?,
                Next::Close(by) => self.close_unpaid(&order, by).await?,
                Next::TakeAgain(payment) => self.take_again(&order, payment).await?,
                Next::GiveBack(payment, why) => self.give_back(&order, payment, why).await?,
                Next::Reverse(payment) => self.reverse(&order, payment).await?,
                Next::Refunded => self.note_refunded(&order).await?,
                Next::Nothing => {
                    let money = money.unwrap_or_default();
                    self.ask_for_refunds(&order, &money).await?;
                    if let Some(trouble) = release_trouble {
                        return Err(trouble);
                    }
                    return match money.trouble {
                        Some(_) if !due::unfinished(&order, &money) => Ok(order.state),
                        Some(trouble) => Err(trouble),
                        None => Ok(order.state),
                    };
                }
            }
        }
        Err(Error::internal(format!("order {sn} never comes to rest")))
    }

    /// The order, which must be there.
    pub(crate) async fn order(&self, sn: &str) -> Result<Order> {
        store::orders::by_sn(self.db.read(), sn)
            .await?
            .ok_or_else(|| Error::new(Code::OrderNotFound))
    }

    /// What payment-rpc says, asked in the way the order's state wants it.
    async fn money(&self, order: &Order, now_ms: i64) -> Money {
        if due::wants_closing(order, now_ms) {
            return self.close_payments(order.sn.as_str()).await;
        }
        match self.payments(order.sn.as_str()).await {
            Ok(payments) => Money {
                payments: Some(payments),
                closed: false,
                trouble: None,
            },
            Err(trouble) => Money {
                trouble: Some(trouble),
                ..Money::default()
            },
        }
    }

    /// Awaiting payment → cancelled.
    async fn close_unpaid(&self, order: &Order, by: By) -> Result<()> {
        let why = match by {
            By::Guest => cancel::why(&order.cancel_reason),
            By::Timeout => "not paid in time".to_owned(),
        };
        self.end_unpaid(order, by, &why).await?;
        Ok(())
    }
}
