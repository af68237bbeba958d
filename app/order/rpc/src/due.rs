//! What is due for an order: one pure function over the order, its books, what payment-rpc says, and the time.

use homestay_error::{Code, Error};

use crate::books::{Books, Change, Stage};
use crate::order::Order;
use crate::rules::{By, State};

/// How far a payment has come, as far as an order cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentState {
    /// No money moved, or none ever will.
    Open,
    /// The provider has the money, and not all of it is on its way back.
    Captured,
    /// All that is left of the money is on its way back.
    RefundPending,
    /// All of it is back.
    Refunded,
}

/// A payment of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) sn: String,
    /// What it pays: 0 the booking, else the attempt of a change.
    pub(crate) charge: i64,
    pub(crate) state: PaymentState,
    pub(crate) amount_cents: i64,
    /// What is back.
    pub(crate) refunded_cents: i64,
    /// What is back, or set apart to go back.
    pub(crate) reserved_cents: i64,
    pub(crate) currency: String,
    pub(crate) captured_at_ms: i64,
    pub(crate) pay_type: String,
}

/// What payment-rpc is told to take no more payments for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nothing: it is only asked.
    #[default]
    Nothing,
    /// One charge.
    Charge(i64),
    /// The order.
    All,
}

impl Closing {
    /// Whether who was told this was told `other` too.
    fn covers(self, other: Closing) -> bool {
        self == other || self == Closing::All || other == Closing::Nothing
    }
}

/// What payment-rpc said.
#[derive(Debug, Default)]
pub(crate) struct Money {
    /// The payments; `None` if it did not answer.
    pub(crate) payments: Option<Vec<Payment>>,
    /// What it was told to close.
    pub(crate) told: Closing,
    /// It takes no new payments for what it was told, and none is left open at a provider.
    pub(crate) closed: bool,
    /// Why there is no answer, or why nothing could be closed.
    pub(crate) trouble: Option<Error>,
}

impl Money {
    fn captured(&self) -> impl Iterator<Item = &Payment> {
        let payments = self.payments.as_deref().unwrap_or_default();
        payments.iter().filter(|p| p.state == PaymentState::Captured)
    }

    fn find(&self, sn: &str) -> Option<&Payment> {
        self.payments.as_deref()?.iter().find(|payment| payment.sn == sn)
    }
}

/// When it is asked, and what was tried in vain: that is left for the next time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) now_ms: i64,
    /// The day it is where the house is.
    pub(crate) today: i64,
    /// How long after its time, or the wish to cancel, the order waits for payment-rpc.
    pub(crate) give_up_ms: i64,
    /// Giving nights back failed.
    pub(crate) release_failed: bool,
    /// Taking nights for the change failed.
    pub(crate) hold_failed: bool,
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'m> {
    /// Nothing more can be done now.
    Nothing,
    /// Ask payment-rpc first, and tell it to close this.
    AskMoney(Closing),
    /// Give the nights back.
    Release,
    /// Awaiting payment → confirmed by this payment.
    Confirm(&'m Payment),
    /// Awaiting payment → confirmed, as there is nothing to pay.
    ConfirmFree,
    /// Awaiting payment → cancelled, by who asked for it or by the clock.
    Close(By),
    /// Cancelled by the clock → confirmed, if the nights are still free.
    TakeAgain(&'m Payment),
    /// Cancelled → refund pending, with the reason.
    GiveBack(&'m Payment, &'static str),
    /// Confirmed → refund pending: the provider has given the money back of its own accord.
    Reverse(&'m Payment),
    /// Confirmed, and part of its money is gone without our wish: what remains is what a cancellation is reckoned on.
    NoteTaken,
    /// Refund pending → refunded.
    Refunded,
    /// The change: take what it needs, beside what the booking has.
    HoldChange,
    /// The change: say what is to be paid for it, and until when.
    AskDifference,
    /// The change: the booking becomes what was asked for, paid by this payment if it is dearer.
    ApplyChange(Option<&'m Payment>),
    /// The change: give it up, with the reason.
    DropChange(&'static str),
    /// The change: give back what is not needed any more.
    ReleaseChange,
}

/// Why a change was given up whose difference nobody paid.
const UNPAID: &str = "the difference was not paid in time";

/// What payment-rpc is to close when it is asked for the payments of the order.
pub(crate) fn wants_closing(order: &Order, books: &Books, now_ms: i64) -> Closing {
    let held = books.change.as_ref().filter(|change| change.stage == Stage::Held);
    match order.state {
        // Its time has come, or its total is about to change. Whatever comes of it, a later change may have to be paid.
        State::AwaitingPayment if now_ms >= order.wait_ends_ms() || held.is_some() => {
            Closing::Charge(order.charge)
        }
        State::Cancelled(_) | State::RefundPending if order.was_confirmed() => Closing::All,
        State::Cancelled(_) | State::RefundPending => Closing::Charge(order.charge),
        State::Confirmed => match held {
            Some(change) if change.due_before_ms > 0 && now_ms >= change.due_before_ms => {
                Closing::Charge(change.attempt)
            }
            _ => Closing::Nothing,
        },
        _ => Closing::Nothing,
    }
}

/// Whether a captured payment is what the order costs.
fn pays(order: &Order, payment: &Payment) -> bool {
    payment.charge == order.charge
        && payment.amount_cents == order.total_cents
        && payment.currency == order.currency
}

/// Whether a captured payment is the difference that a change waits for.
fn pays_change(order: &Order, change: &Change, payment: &Payment) -> bool {
    change.stage == Stage::Held
        && change.due_cents > 0
        && payment.charge == change.attempt
        && payment.amount_cents == change.due_cents
        && payment.currency == order.currency
}

fn first<'m>(payments: impl Iterator<Item = &'m Payment>) -> Option<&'m Payment> {
    payments.min_by(|a, b| (a.captured_at_ms, &a.sn).cmp(&(b.captured_at_ms, &b.sn)))
}

/// The captured payment that counts: of those that pay the order, the first one captured.
fn paying<'m>(order: &Order, books: &Books, money: &'m Money) -> Option<&'m Payment> {
    first(
        money
            .captured()
            .filter(|payment| pays(order, payment) && !books.has(&payment.sn)),
    )
}

/// A payment that pays the order and is back, or on its way, without our wish.
fn taken_back<'m>(books: &Books, money: &'m Money) -> Option<&'m Payment> {
    books
        .paying
        .iter()
        .filter(|paying| paying.left_cents() > 0)
        .filter_map(|paying| money.find(&paying.payment_sn))
        .find(|payment| {
            matches!(
                payment.state,
                PaymentState::RefundPending | PaymentState::Refunded
            )
        })
}

/// What is gone of the payments of an order beyond what was decided: the provider gave it back of its own accord, or an
/// operator did. While a refund that was decided is not asked for, as much less.
pub(crate) fn taken(books: &Books, payments: &[Payment]) -> Vec<(String, i64)> {
    books
        .paying
        .iter()
        .filter_map(|paying| {
            let payment = payments.iter().find(|payment| payment.sn == paying.payment_sn)?;
            let cents = payment.reserved_cents.min(paying.amount_cents) - paying.back_cents;
            (cents > 0).then(|| (payment.sn.clone(), cents))
        })
        .collect()
}

/// What is to be done about money of a confirmed order that is gone without our wish.
pub(crate) fn gone<'m>(books: &Books, money: &'m Money) -> Option<Next<'m>> {
    if let Some(payment) = taken_back(books, money) {
        return Some(Next::Reverse(payment));
    }
    let taken = taken(books, money.payments.as_deref()?);
    (!taken.is_empty()).then_some(Next::NoteTaken)
}

/// Whether all that was decided to go back is back.
fn all_back(books: &Books, money: &Money) -> bool {
    books.paying.iter().all(|paying| {
        paying.back_cents == 0
            || money
                .find(&paying.payment_sn)
                .is_some_and(|payment| payment.refunded_cents >= paying.back_cents)
    })
}

/// The next thing that is due. Repeated until it says [`Next::Nothing`]; what then remains are [`refunds`].
pub(crate) fn next<'m>(order: &Order, books: &Books, money: Option<&'m Money>, at: At) -> Next<'m> {
    if order.release_due() && !at.release_failed {
        return Next::Release;
    }
    if order.state.keeps_nights()
        && let Some(change) = &books.change
    {
        match change.stage {
            Stage::Applied | Stage::Refused | Stage::Dropped if at.release_failed => {}
            Stage::Applied | Stage::Refused | Stage::Dropped => return Next::ReleaseChange,
            Stage::Asked | Stage::Held if matches!(order.state, State::Used | State::Expired) => {
                return Next::DropChange("the stay is over");
            }
            Stage::Asked if !at.hold_failed && !waits_no_more(order, at) => return Next::HoldChange,
            Stage::Asked | Stage::Held => {}
        }
    }
    let wanted = wants_closing(order, books, at.now_ms);
    let Some(money) = money.filter(|money| money.told.covers(wanted)) else {
        return Next::AskMoney(wanted);
    };
    match order.state {
        State::AwaitingPayment => awaiting(order, books, money, at),
        // Its money is kept, or there was none.
        State::Cancelled(_) if order.was_confirmed() => Next::Nothing,
        State::Cancelled(by) => match (paying(order, books, money), by) {
            (None, _) => Next::Nothing,
            (Some(payment), By::Timeout) if order.check_in_day < at.today => {
                Next::GiveBack(payment, "the stay had begun")
            }
            // Its own old hold would stand in the way.
            (Some(_), By::Timeout) if order.release_due() => Next::Nothing,
            (Some(payment), By::Timeout) => Next::TakeAgain(payment),
            (Some(payment), By::Guest) => Next::GiveBack(payment, "the guest had cancelled"),
            (Some(payment), By::Host | By::Operator) => Next::GiveBack(payment, "the booking was cancelled"),
        },
        State::Confirmed => confirmed(order, books, money, at),
        State::RefundPending if money.payments.is_some() && all_back(books, money) => Next::Refunded,
        State::RefundPending | State::Refunded | State::Used | State::Expired => Next::Nothing,
    }
}

/// Whether an unpaid order's time has come, or it is to be cancelled.
fn waits_no_more(order: &Order, at: At) -> bool {
    order.state == State::AwaitingPayment && at.now_ms >= order.wait_ends_ms()
}

fn awaiting<'m>(order: &Order, books: &Books, money: &'m Money, at: At) -> Next<'m> {
    if let Some(payment) = paying(order, books, money) {
        return Next::Confirm(payment);
    }
    if waits_no_more(order, at) {
        return if money.closed || at.now_ms - order.wait_ends_ms() >= at.give_up_ms {
            Next::Close(order.ended_by())
        } else {
            Next::Nothing
        };
    }
    if order.total_cents == 0 {
        return Next::ConfirmFree;
    }
    match &books.change {
        Some(change) if change.stage == Stage::Held && money.closed => Next::ApplyChange(None),
        _ => Next::Nothing,
    }
}

fn confirmed<'m>(order: &Order, books: &Books, money: &'m Money, at: At) -> Next<'m> {
    if let Some(gone) = gone(books, money) {
        return gone;
    }
    let Some(change) = books.change.as_ref().filter(|change| change.stage == Stage::Held) else {
        return Next::Nothing;
    };
    if change.total_cents <= order.total_cents {
        return Next::ApplyChange(None);
    }
    if change.due_before_ms == 0 {
        return Next::AskDifference;
    }
    let payment = first(
        money
            .captured()
            .filter(|payment| pays_change(order, change, payment)),
    );
    match payment {
        Some(payment) => Next::ApplyChange(Some(payment)),
        None if at.now_ms < change.due_before_ms => Next::Nothing,
        None if money.closed || at.now_ms - change.due_before_ms >= at.give_up_ms => Next::DropChange(UNPAID),
        None => Next::Nothing,
    }
}

/// A refund that payment-rpc is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed<'a> {
    pub(crate) payment_sn: &'a str,
    /// 0: all that is left.
    pub(crate) amount_cents: i64,
    /// Empty: all that is left.
    pub(crate) key: &'a str,
    pub(crate) reason: &'a str,
    /// It was decided by a change of the order; else it is money that pays nothing of it.
    pub(crate) decided: bool,
}

/// The refunds to be asked for in a state that [`next`] has nothing to add to: what was decided, and what is captured and pays
/// nothing.
pub(crate) fn refunds<'m>(order: &Order, books: &'m Books, money: &'m Money) -> Vec<Owed<'m>> {
    let decided = books
        .refunds
        .iter()
        .filter(|intent| !intent.asked)
        .map(|intent| Owed {
            payment_sn: &intent.payment_sn,
            amount_cents: if intent.key.is_empty() {
                0
            } else {
                intent.amount_cents
            },
            key: &intent.key,
            reason: &intent.reason,
            decided: true,
        });
    let strays = money.captured().filter_map(|payment| {
        let reason = stray(order, books, payment)?;
        Some(Owed {
            payment_sn: &payment.sn,
            amount_cents: 0,
            key: "",
            reason,
            decided: false,
        })
    });
    decided.chain(strays).collect()
}

/// Why a captured payment pays nothing of the order; `None` if it does, or is about to.
fn stray(order: &Order, books: &Books, payment: &Payment) -> Option<&'static str> {
    if books.has(&payment.sn) {
        return None;
    }
    let pays = pays(order, payment);
    // One that pays changes the order's state first: `next` says how.
    match order.state {
        State::AwaitingPayment if pays => return None,
        State::Cancelled(_) if pays && !order.was_confirmed() => return None,
        State::Confirmed => {
            let change = books.change.as_ref();
            if change.is_some_and(|change| pays_change(order, change, payment))
                && !books.paying.iter().any(|paying| paying.charge == payment.charge)
            {
                return None;
            }
        }
        _ => {}
    }
    Some(if payment.charge == order.charge && !pays {
        "amount is not the order's"
    } else if payment.charge == order.charge || books.paying.iter().any(|p| p.charge == payment.charge) {
        "duplicate"
    } else {
        "the change it pays for was given up"
    })
}

/// Whether what payment-rpc could not say or do leaves something undone. With the provider silent, an ended order is done:
/// payment-rpc takes no new payments for it, ends the open ones when the provider answers, and tells of what it finds.
pub(crate) fn unfinished(order: &Order, books: &Books, money: &Money, now_ms: i64) -> bool {
    let Some(trouble) = &money.trouble else {
        return false;
    };
    money.payments.is_none()
        || match order.state {
            State::AwaitingPayment => true,
            State::Confirmed => wants_closing(order, books, now_ms) != Closing::Nothing,
            State::Cancelled(_) | State::RefundPending => trouble.code() != Code::Provider,
            _ => false,
        }
}

#[cfg(test)]
mod tests;
