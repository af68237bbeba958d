//! Ends an unpaid order: by its guest here, by the clock from [`crate::advance`]; and gives its nights back.

use homestay_error::{Code, Error, Result};

use crate::OrderService;
use crate::due::{self, At, Next};
use crate::entries;
use crate::order::Order;
use crate::rules::{By, State};
use crate::step::{Name, Step};
use crate::store;

/// Longest reason, in characters.
const REASON: usize = 255;

/// How long after a guest's wish to cancel the job looks whether all is done: longer than the guest's own call takes.
const FOLLOW_UP_MS: i64 = 5_000;

/// Why an order ended that its guest cancelled.
pub(crate) fn why(reason: &str) -> String {
    match reason {
        "" => "cancelled by the guest".to_owned(),
        reason => format!("cancelled by the guest: {reason}"),
    }
}

impl OrderService {
    /// Cancels an unpaid order for its guest. Money that was captured before wins: then the order is confirmed, and this
    /// refused. If payment-rpc does not answer, the order is cancelled all the same; money that comes late goes back.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`] for an unknown or foreign order, [`Code::OrderState`] for one that does not wait for payment.
    pub(crate) async fn cancel(&self, user_id: i64, sn: &str, reason: &str) -> Result<Order> {
        if reason.chars().count() > REASON {
            return Err(Error::invalid(
                "reason",
                format!("must be at most {REASON} characters"),
            ));
        }
        let order = self.order(sn).await?;
        if order.user_id != user_id {
            return Err(Error::new(Code::OrderNotFound));
        }
        if order.state != State::AwaitingPayment {
            return Err(Error::new(Code::OrderState));
        }
        // Before payment-rpc hears of it: it takes no new payments from then on, and there is no way back. Should this run
        // end in between, the job goes on.
        self.note_wish(&order, reason.trim()).await?;
        let order = self.order(sn).await?;
        if order.state == State::AwaitingPayment {
            self.end_for_guest(&order).await?;
        }
        // This run, or the job that was written above.
        let order = self.order(sn).await?;
        if order.state != State::Cancelled(By::Guest) {
            return Err(Error::new(Code::OrderState));
        }
        // The nights are free when the call returns, if travel answers; the job written above does the rest.
        if order.release_due()
            && let Err(later) = self.give_nights_back(&order).await
        {
            tracing::warn!(order.sn = %order.sn, error = %later.chain(), "nights of a cancelled order are given back later");
        }
        Ok(order)
    }

    /// Writes down that the guest wants the order cancelled, with the job that sees to it.
    async fn note_wish(&self, order: &Order, reason: &str) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let ids = self.ids.clone();
        let (order, reason) = (order.clone(), reason.to_owned());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if store::changes::request_cancel(tx, &order, &reason, now_ms).await? {
                        let job = entries::follow_up(&order.sn, "cancelled", now_ms + FOLLOW_UP_MS);
                        homestay_outbox::push(tx, &ids, vec![job]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Cancels at payment-rpc and here, whatever payment-rpc says short of captured money.
    async fn end_for_guest(&self, order: &Order) -> Result<()> {
        let money = self.close_payments(order.sn.as_str()).await;
        if let Some(trouble) = &money.trouble {
            tracing::warn!(order.sn = %order.sn, error = %trouble.chain(), "cancelled without the word of payment-rpc");
        }
        let now_ms = self.clock.now_ms();
        let at = At {
            now_ms,
            today: order.day_at(now_ms)?,
            give_up_ms: self.config.close_give_up_ms(),
            release_failed: false,
        };
        if let Next::Confirm(payment) = due::next(order, Some(&money), at) {
            self.confirm(order, payment).await?;
            return Err(Error::with(Code::OrderState, "the order has been paid"));
        }
        self.end_unpaid(order, By::Guest, &why(&order.cancel_reason))
            .await?;
        Ok(())
    }

    /// Awaiting payment → cancelled; whether it was this run that did it.
    pub(crate) async fn end_unpaid(&self, order: &Order, by: By, why: &str) -> Result<bool> {
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, why) = (order.clone(), why.to_owned());
        let ended = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::cancel(tx, &order, by, now_ms).await? {
                        return Ok(false);
                    }
                    let sn = order.sn.as_str();
                    store::steps::undo(tx, sn, order.attempt, &why, now_ms).await?;
                    let failed = Step::done(Name::Failed, order.attempt, now_ms, &node).error(&why);
                    store::steps::insert(tx, sn, vec![failed]).await?;
                    let event = entries::changed(&ids, &order.sn, State::Cancelled(by), "cancelled");
                    homestay_outbox::push(tx, &ids, vec![event]).await?;
                    Ok(true)
                })
            })
            .await?;
        if ended {
            crate::count("cancelled");
        }
        Ok(ended)
    }

    /// Gives the nights of an ended order back at travel, and notes it.
    pub(crate) async fn give_nights_back(&self, order: &Order) -> Result<()> {
        self.release(order).await?;
        let (now_ms, order) = (self.clock.now_ms(), order.clone());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if store::changes::released(tx, &order, now_ms).await? {
                        store::steps::nights_undone(tx, order.sn.as_str(), now_ms).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
