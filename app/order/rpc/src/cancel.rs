//! Ends an order: by its guest, its host or an operator here, unpaid by the clock from [`crate::advance`]; and gives its
//! nights back.

use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;

use crate::OrderService;
use crate::books::{Books, Intent};
use crate::due::{self, At, Next};
use crate::entries;
use crate::order::Order;
use crate::policy::{Back, take_from};
use crate::preview;
use crate::rules::{By, State};
use crate::step::{Name, Step};
use crate::store;

/// Longest reason, in characters.
const REASON: usize = 255;

/// How long after a cancellation the job looks whether all is done: longer than the caller's own call takes.
const FOLLOW_UP_MS: i64 = 5_000;

/// How often a cancellation looks again, if the order changed while it was looked at.
const LOOKS: usize = 4;

/// Why an order ended that somebody cancelled.
pub(crate) fn why(by: By, reason: &str) -> String {
    let who = match by {
        By::Guest => "the guest",
        By::Host => "the host",
        By::Operator => "an operator",
        By::Timeout => "the clock",
    };
    match reason {
        "" => format!("cancelled by {who}"),
        reason => format!("cancelled by {who}: {reason}"),
    }
}

impl OrderService {
    /// Cancels an order for its guest, by the order's policy; or for the host of the house or an operator, and everything goes
    /// back. Doing it again changes nothing.
    ///
    /// Unpaid: money that was captured before wins; the order is confirmed then, and this refused to a guest, who knew of no
    /// policy. If payment-rpc does not answer, the order is cancelled all the same; money that comes late goes back.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`] for an unknown or foreign order, [`Code::OrderState`] for one that cannot be cancelled,
    /// [`Code::RefundChanged`] with the preview if `expected` is not what goes back.
    pub(crate) async fn cancel(
        &self,
        actor: &Actor,
        sn: &str,
        reason: &str,
        expected: Option<i64>,
    ) -> Result<Order> {
        if reason.chars().count() > REASON {
            return Err(Error::invalid(
                "reason",
                format!("must be at most {REASON} characters"),
            ));
        }
        let reason = reason.trim();
        let order = self.order(sn).await?;
        let by = preview::party(actor, &order).ok_or_else(|| Error::new(Code::OrderNotFound))?;
        self.with_what_is_left(order).await?;
        for _ in 0..LOOKS {
            let order = self.order(sn).await?;
            if order.state == State::Cancelled(by) || order.ended_by == by.name() {
                return self.cancelled(order).await;
            }
            let back = preview::back(&order, by, self.clock.now_ms())?;
            if expected.is_some_and(|cents| cents != back.refund_cents) {
                let preview = serde_json::to_value(preview::preview(&order, back)).unwrap_or_default();
                return Err(Error::new(Code::RefundChanged).details(preview));
            }
            if order.state == State::Confirmed {
                let books = store::books::of_order(&self.db, &order).await?;
                self.end_paid(&order, &books, by, reason, back).await?;
                continue;
            }
            // Before payment-rpc hears of it: it takes no new payments from then on, and there is no way back. Should this
            // run end in between, the job goes on.
            self.note_wish(&order, by, reason).await?;
            let order = self.order(sn).await?;
            if order.state == State::AwaitingPayment && self.end_wanted(&order).await? && by == By::Guest {
                return Err(Error::with(Code::OrderState, "the order has been paid"));
            }
            // This run, or the job that was written above.
            let order = self.order(sn).await?;
            if by == By::Guest && !matches!(order.state, State::AwaitingPayment | State::Cancelled(By::Guest))
            {
                return Err(Error::new(Code::OrderState));
            }
        }
        Err(Error::with(
            Code::Unavailable,
            "the order is being changed, try again",
        ))
    }

    /// The nights are free when the call returns, if travel answers; the job written before does the rest.
    async fn cancelled(&self, order: Order) -> Result<Order> {
        if order.release_due()
            && let Err(later) = self.give_nights_back(&order).await
        {
            tracing::warn!(order.sn = %order.sn, error = %later.chain(), "nights of a cancelled order are given back later");
        }
        if order.was_confirmed()
            && order.state != State::Refunded
            && let Err(later) = self.advance(order.sn.as_str()).await
        {
            tracing::warn!(order.sn = %order.sn, error = %later.chain(), "the money of a cancelled order is seen to later");
        }
        Ok(order)
    }

    /// Writes down that somebody wants an unpaid order cancelled, with the job that sees to it.
    async fn note_wish(&self, order: &Order, by: By, reason: &str) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let ids = self.ids.clone();
        let (order, reason) = (order.clone(), reason.to_owned());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    if store::changes::request_cancel(tx, &order, by, &reason, now_ms).await? {
                        let job = entries::follow_up(&order.sn, "cancelled", now_ms + FOLLOW_UP_MS);
                        homestay_outbox::push(tx, &ids, vec![job]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Cancels at payment-rpc and here, whatever payment-rpc says short of captured money; whether there was some, and the
    /// order is confirmed instead.
    async fn end_wanted(&self, order: &Order) -> Result<bool> {
        let closing = due::wants_closing(order, &Books::default(), i64::MAX);
        let money = self.close_payments(order.sn.as_str(), closing).await;
        if let Some(trouble) = &money.trouble {
            tracing::warn!(order.sn = %order.sn, error = %trouble.chain(), "cancelled without the word of payment-rpc");
        }
        let now_ms = self.clock.now_ms();
        let at = At {
            now_ms,
            today: order.day_at(now_ms)?,
            give_up_ms: self.config.close_give_up_ms(),
            release_failed: false,
            hold_failed: false,
        };
        if let Next::Confirm(payment) = due::next(order, &Books::default(), Some(&money), at) {
            self.confirm(order, Some(payment)).await?;
            return Ok(true);
        }
        let by = order.ended_by();
        self.end_unpaid(order, by, &why(by, &order.cancel_reason)).await?;
        Ok(false)
    }

    /// Confirmed → refund pending, or → cancelled if nothing goes back: decided with all refunds in one transaction. What
    /// follows from it is `advance`'s.
    async fn end_paid(&self, order: &Order, books: &Books, by: By, reason: &str, back: Back) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let (ids, node) = (self.ids.clone(), self.node.clone());
        let (order, reason) = (order.clone(), reason.to_owned());
        let refunds = refunds(books, back.refund_cents, "cancel", &why(by, &reason));
        let ended = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    if !store::changes::cancel_paid(tx, &order, by, &reason, back, now_ms).await? {
                        return Ok(None);
                    }
                    let (sn, why) = (order.sn.as_str(), why(by, &reason));
                    for intent in &refunds {
                        store::books::give_back(tx, sn, intent, true, now_ms).await?;
                    }
                    let refund = back.refund_cents > 0;
                    store::steps::undo_paid(tx, sn, order.attempt, &why, refund, now_ms).await?;
                    let failed = Step::done(Name::Failed, order.attempt, now_ms, &node).error(&why);
                    store::steps::insert(tx, sn, vec![failed]).await?;
                    let (state, change) = if refund {
                        (State::RefundPending, "refund_pending")
                    } else {
                        (State::Cancelled(by), "cancelled")
                    };
                    let entries = vec![
                        entries::changed(&ids, &order.sn, state, change),
                        entries::follow_up(&order.sn, "cancelled.paid", now_ms + FOLLOW_UP_MS),
                    ];
                    homestay_outbox::push(tx, &ids, entries).await?;
                    Ok(Some(change))
                })
            })
            .await?;
        if let Some(change) = ended {
            crate::count(change);
        }
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
        self.release(order, order.highest_attempt(), false).await?;
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

/// The refunds that give `cents` back: from the newest payments first.
pub(crate) fn refunds(books: &Books, cents: i64, key: &str, reason: &str) -> Vec<Intent> {
    let parts = take_from(books.paying.iter().map(crate::books::Paying::left_cents), cents);
    books
        .paying
        .iter()
        .zip(parts)
        .filter(|(_, cents)| *cents > 0)
        .map(|(paying, cents)| Intent {
            payment_sn: paying.payment_sn.clone(),
            key: key.to_owned(),
            amount_cents: cents,
            reason: reason.to_owned(),
            asked: false,
        })
        .collect()
}
