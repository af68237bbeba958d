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
//! | the wish to cancel an unpaid order | an order awaiting payment, the wish noted, a job for it | closes, cancels for who asked |
//! | closing at payment-rpc | an order awaiting payment that cannot be paid any more | closes again (no change there), goes on |
//! | the confirming transaction | a confirmed order; event and jobs are rows | refunds further captured payments |
//! | the cancelling transaction | nights still held, `released_at_ms = 0` | releases |
//! | `Release` at travel | the same | releases again (no change there), notes it |
//! | `Hold` for late money | nights held under a key that is nobody's | holds again: the same answer. If travel's sweep asked first, the key has a tombstone, the nights are free, and the money goes back |
//! | the transaction to refund pending | no refund asked for | asks |
//! | `Refund` at payment-rpc | the refund's row with `asked_at_ms = 0` | asks again under its key (no change there), notes it; notes the end once payment-rpc has it |
//! | the transaction that cancels a paid order | nights held, refunds not asked for, kept money unsettled; a job for it | releases, asks, settles |
//! | the note that part of a payment is gone without our wish | a confirmed order with less to give back | nothing more |
//! | the case of kept money that is gone | the case | opens it again (no change there), notes it, settles what is left |
//! | `Settle` at payment-rpc | `settled_at_ms = 0` | settles again (no change there), notes it |
//! | the intent of a change | `asked`, nothing held; a job for it | holds |
//! | `Hold` for a change | the same, with both holds at travel; travel's sweep is told to wait | holds again: the same answer. A refusal ends the change, the booking stays |
//! | the note of that hold | `held` | unpaid: closes the open payment, applies. Paid: applies, or asks for the difference |
//! | closing before an unpaid order's change | an order that cannot be paid for a moment | captured: confirms, goes on as with a paid one; else applies |
//! | the note of the difference | `held` until it is paid or its time runs out; a job for then | waits |
//! | the capture of the difference | the payment's event | applies. Past the time: closes that charge first; captured money wins, later money goes back |
//! | the applying transaction | two holds, the refund of a cheaper one not asked for; a job for it | gives the old hold back: what the new one shares passes to it; asks |
//! | the dropping transaction | two holds | gives the new hold back only |
//! | either `Release` | the same, `released_at_ms = 0` | releases again (no change there), notes it: the change is done with |
//! | a cancellation or closing during a change | the change dropped in that transaction, all holds at travel | releases all attempts |
//!
//! Runs may overlap: every change is one guarded update that starts from the state that was looked at; who comes second
//! changes nothing and looks again. That also is what protects against a job whose lease has passed on: the fencing token
//! of a request decides nothing here.

use homestay_error::{Code, Error, Result};

use crate::OrderService;
use crate::cancel;
use crate::change;
use crate::due::{self, At, Closing, Money, Next};
use crate::order::Order;
use crate::rules::{By, State};
use crate::store;

/// More rounds than any way through the states has: a guard against going in circles.
const ROUNDS: usize = 24;

impl OrderService {
    /// Does what is due for the order; where it stands afterwards.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`]; those of the peers and the database, to be tried again: what could be done without them
    /// is done.
    pub(crate) async fn advance(&self, sn: &str) -> Result<State> {
        let now_ms = self.clock.now_ms();
        let mut money: Option<Money> = None;
        let (mut release_trouble, mut hold_trouble) = (None, None);
        for _ in 0..ROUNDS {
            let order = self.order(sn).await?;
            let books = store::books::of_order(&self.db, &order).await?;
            let at = At {
                now_ms,
                today: order.day_at(now_ms)?,
                give_up_ms: self.config.close_give_up_ms(),
                release_failed: release_trouble.is_some(),
                hold_failed: hold_trouble.is_some(),
            };
            match due::next(&order, &books, money.as_ref(), at) {
                Next::AskMoney(closing) => money = Some(self.money(&order, closing).await),
                Next::Release => release_trouble = self.give_nights_back(&order).await.err(),
                Next::Confirm(payment) => self.confirm(&order, Some(payment)).await?,
                Next::ConfirmFree => self.confirm(&order, None).await?,
                Next::Close(by) => self.close_unpaid(&order, by).await?,
                Next::TakeAgain(payment) => self.take_again(&order, payment).await?,
                Next::GiveBack(payment, why) => self.give_back(&order, payment, why).await?,
                Next::Reverse(payment) => self.reverse(&order, &books, payment).await?,
                Next::NoteTaken => self.note_what_is_gone(&order, &books, money.as_ref()).await?,
                Next::Refunded => self.note_refunded(&order).await?,
                Next::HoldChange => {
                    // A refusal ends the change, and is no trouble.
                    let trouble = self.hold_change(&order, &books).await.err();
                    hold_trouble = trouble.filter(|trouble| !change::is_refusal(trouble.code()));
                }
                Next::AskDifference => self.ask_difference(&order, &books).await?,
                Next::ApplyChange(payment) => self.apply_change(&order, &books, payment).await?,
                Next::DropChange(why) => self.drop_change(&order, why).await?,
                Next::ReleaseChange => release_trouble = self.release_change(&order, &books).await.err(),
                Next::Nothing => {
                    let money = money.unwrap_or_default();
                    self.ask_for_refunds(&order, &books, &money).await?;
                    self.settle_kept(&order).await?;
                    if let Some(trouble) = release_trouble.or(hold_trouble) {
                        return Err(trouble);
                    }
                    return match money.trouble {
                        Some(_) if !due::unfinished(&order, &books, &money, now_ms) => Ok(order.state),
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

    /// What payment-rpc says, told what it is to close.
    async fn money(&self, order: &Order, closing: Closing) -> Money {
        if closing != Closing::Nothing {
            return self.close_payments(order.sn.as_str(), closing).await;
        }
        match self.payments(order.sn.as_str()).await {
            Ok(payments) => Money {
                payments: Some(payments),
                ..Money::default()
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
            By::Timeout => "not paid in time".to_owned(),
            by => cancel::why(by, &order.cancel_reason),
        };
        self.end_unpaid(order, by, &why).await?;
        Ok(())
    }
}
