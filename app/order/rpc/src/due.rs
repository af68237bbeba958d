//! What is due for an order: one pure function over the order, what payment-rpc says, and the time.

use homestay_error::{Code, Error};

use crate::order::Order;
use crate::rules::{By, State};

/// How far a payment has come, as far as an order cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentState {
    /// No money moved, or none ever will.
    Open,
    /// The provider has the money.
    Captured,
    /// The money is on its way back.
    RefundPending,
    /// All of it is back.
    Refunded,
}

/// A payment of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) sn: String,
    pub(crate) state: PaymentState,
    pub(crate) amount_cents: i64,
    pub(crate) currency: String,
    pub(crate) captured_at_ms: i64,
    pub(crate) pay_type: String,
}

/// What payment-rpc said.
#[derive(Debug, Default)]
pub(crate) struct Money {
    /// The payments; `None` if it did not answer.
    pub(crate) payments: Option<Vec<Payment>>,
    /// It takes no new payments for the order, and none is left open at a provider.
    pub(crate) closed: bool,
    /// Why there is no answer, or why nothing could be closed.
    pub(crate) trouble: Option<Error>,
}

impl Money {
    fn captured(&self) -> impl Iterator<Item = &Payment> {
        let payments = self.payments.as_deref().unwrap_or_default();
        payments.iter().filter(|p| p.state == PaymentState::Captured)
    }
}

/// When it is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) now_ms: i64,
    /// The day it is where the house is.
    pub(crate) today: i64,
    /// How long after its time, or its guest's wish to cancel, the order waits for payment-rpc.
    pub(crate) give_up_ms: i64,
    /// Giving the nights back was tried and failed: leave it for the next time.
    pub(crate) release_failed: bool,
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'m> {
    /// Nothing more can be done now.
    Nothing,
    /// Ask payment-rpc first.
    AskMoney,
    /// Give the nights back.
    Release,
    /// Awaiting payment → confirmed by this payment.
    Confirm(&'m Payment),
    /// Awaiting payment → cancelled, by the guest who asked for it or by the clock.
    Close(By),
    /// Cancelled by the clock → confirmed, if the nights are still free.
    TakeAgain(&'m Payment),
    /// Cancelled → refund pending, with the reason.
    GiveBack(&'m Payment, &'static str),
    /// Confirmed → refund pending: the provider has given the money back of its own accord.
    Reverse(&'m Payment),
    /// Refund pending → refunded.
    Refunded,
}

/// Whether payment-rpc is to close the order when it is asked for its payments.
pub(crate) fn wants_closing(order: &Order, now_ms: i64) -> bool {
    match order.state {
        State::AwaitingPayment => now_ms >= order.wait_ends_ms(),
        State::Cancelled(_) => true,
        _ => false,
    }
}

/// Whether a captured payment is what the order costs.
fn pays(order: &Order, payment: &Payment) -> bool {
    payment.amount_cents == order.total_cents && payment.currency == order.currency
}

/// The captured payment that counts: of those that pay the order, the first one captured.
fn paying<'m>(order: &Order, money: &'m Money) -> Option<&'m Payment> {
    money
        .captured()
        .filter(|payment| pays(order, payment))
        .min_by(|a, b| (a.captured_at_ms, &a.sn).cmp(&(b.captured_at_ms, &b.sn)))
}

/// The order's own payment, if all of it is back.
fn own_refunded<'m>(order: &Order, money: &'m Money) -> Option<&'m Payment> {
    let payments = money.payments.as_deref().unwrap_or_default();
    payments
        .iter()
        .find(|payment| payment.sn == order.payment_sn && payment.state == PaymentState::Refunded)
}

/// The next thing that is due. Repeated until it says [`Next::Nothing`]; what then remains are [`refunds`].
pub(crate) fn next<'m>(order: &Order, money: Option<&'m Money>, at: At) -> Next<'m> {
    if order.release_due() && !at.release_failed {
        return Next::Release;
    }
    let Some(money) = money else {
        return Next::AskMoney;
    };
    match order.state {
        State::AwaitingPayment => match paying(order, money) {
            Some(payment) => Next::Confirm(payment),
            None if at.now_ms < order.wait_ends_ms() => Next::Nothing,
            None if money.closed || at.now_ms - order.wait_ends_ms() >= at.give_up_ms => {
                Next::Close(order.ended_by())
            }
            None => Next::Nothing,
        },
        State::Cancelled(by) => match (paying(order, money), by) {
            (None, _) => Next::Nothing,
            (Some(payment), By::Guest) => Next::GiveBack(payment, "the guest had cancelled"),
            (Some(payment), By::Timeout) if order.check_in_day < at.today => {
                Next::GiveBack(payment, "the stay had begun")
            }
            // Its own old hold would stand in the way.
            (Some(_), By::Timeout) if order.release_due() => Next::Nothing,
            (Some(payment), By::Timeout) => Next::TakeAgain(payment),
        },
        State::Confirmed => match own_refunded(order, money) {
            Some(payment) => Next::Reverse(payment),
            None => Next::Nothing,
        },
        State::RefundPending => match own_refunded(order, money) {
            Some(_) => Next::Refunded,
            None => Next::Nothing,
        },
        State::Refunded | State::Used | State::Expired => Next::Nothing,
    }
}

/// The payments to be refunded in a state that [`next`] has nothing to add to, with reasons: what is captured and does not
/// pay the order, and the order's own payment while its refund is pending.
pub(crate) fn refunds<'m>(order: &Order, money: &'m Money) -> Vec<(&'m Payment, &'static str)> {
    let payments = money.payments.as_deref().unwrap_or_default();
    payments
        .iter()
        .filter_map(|payment| {
            if payment.sn == order.payment_sn {
                let owed = matches!(
                    payment.state,
                    PaymentState::Captured | PaymentState::RefundPending
                );
                return (owed && order.state == State::RefundPending).then_some((payment, "order refunded"));
            }
            if payment.state != PaymentState::Captured {
                return None;
            }
            match order.state {
                // One that pays the order changes the order's state first: `next` says how.
                State::AwaitingPayment | State::Cancelled(_) if pays(order, payment) => None,
                _ if !pays(order, payment) => Some((payment, "amount is not the order's")),
                _ => Some((payment, "duplicate")),
            }
        })
        .collect()
}

/// Whether what payment-rpc could not say or do leaves something undone. With the provider silent, a cancelled order is done:
/// payment-rpc takes no new payments for it, ends the open ones when the provider answers, and tells of what it finds.
pub(crate) fn unfinished(order: &Order, money: &Money) -> bool {
    let Some(trouble) = &money.trouble else {
        return false;
    };
    money.payments.is_none()
        || match order.state {
            State::AwaitingPayment => true,
            State::Cancelled(_) => trouble.code() != Code::Provider,
            _ => false,
        }
}

#[cfg(test)]
mod tests;
