//! What a change makes of a booking's price: travel's price of the new stay, and what the policy keeps of the old one.

use homestay_error::{Code, Error, Result};
use homestay_proto::common::Quote;
use homestay_types::date_of_number;
use serde_json::json;

use crate::books::Change;
use crate::due::Payment;
use crate::order::{Line, Order};
use crate::policy;
use crate::rules::State;

/// A price with the fees of changes, old and new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) room_cents: i64,
    pub(crate) meal_cents: i64,
    pub(crate) total_cents: i64,
    pub(crate) lines: Vec<Line>,
    /// Of the total, what this change keeps.
    pub(crate) fee_cents: i64,
    /// What a cancellation would give back instead.
    pub(crate) refund_percent: i64,
}

impl Offer {
    /// What the booking costs if it becomes the quoted stay at `now_ms`.
    pub(crate) fn new(order: &Order, first_night: i64, quote: Quote, now_ms: i64) -> Result<Self> {
        let refund_percent = order.refund_percent(now_ms)?;
        let fees = order.fee_cents();
        let fee_cents = if order.state == State::AwaitingPayment {
            0
        } else {
            policy::change_fee(order.total_cents - fees, quote.total_cents, refund_percent)
        };
        let mut lines: Vec<Line> = quote.lines.into_iter().map(Line::from).collect();
        let kept = order.lines.iter().filter_map(Line::fee_cents);
        let all_fees = kept.chain((fee_cents > 0).then_some(fee_cents));
        lines.extend(all_fees.map(|cents| Line::change_fee(first_night, cents)));
        Ok(Self {
            room_cents: quote.room_cents,
            meal_cents: quote.meal_cents,
            total_cents: quote.total_cents + fees + fee_cents,
            lines,
            fee_cents,
            refund_percent,
        })
    }

    /// Whether it is what the guest expects.
    pub(crate) fn suits(&self, change: &Change) -> bool {
        change.expected_cents == 0 || change.expected_cents == self.total_cents
    }
}

/// What a change to another total costs and gives back, at once or once it is paid.
pub(crate) fn difference(order: &Order, total_cents: i64) -> (i64, i64) {
    if order.state == State::AwaitingPayment {
        return (total_cents, 0);
    }
    let more = total_cents - order.total_cents;
    // The provider may have given of it back by itself.
    (more.max(0), (-more).max(0).min(order.paid_cents()))
}

/// What travel is told to expect for a change: the guest's total where no fee can be part of it. 0: nothing, and
/// [`Offer::suits`] says whether the total is right.
///
/// # Errors
/// If the house's zone is unknown.
pub(crate) fn expected_of_travel(order: &Order, change: &Change, now_ms: i64) -> Result<i64> {
    let free = order.fee_cents() == 0 && order.refund_percent(now_ms)? == policy::ALL;
    Ok(if free { change.expected_cents } else { 0 })
}

/// The most that a cancellation gives back after a change: what one would have given before it. Where the guest had to pay for
/// it, that is when they paid.
///
/// # Errors
/// If the house's zone is unknown.
pub(crate) fn cap_after(
    order: &Order,
    change: &Change,
    payment: Option<&Payment>,
    now_ms: i64,
) -> Result<i64> {
    if order.state == State::AwaitingPayment {
        return Ok(order.refund_percent_cap);
    }
    let when_paid = match payment {
        Some(payment) => order.refund_percent(payment.captured_at_ms.min(now_ms))?,
        None => policy::ALL,
    };
    Ok(order.refund_percent_cap.min(change.refund_percent).min(when_paid))
}

/// Why a change was given up whose total is not what the guest expects.
pub(crate) fn price_changed(change: &Change, currency: &str) -> Error {
    Error::new(Code::PriceChanged).details(json!({
        "checkIn": date_of_number(change.check_in_day).to_string(),
        "checkOut": date_of_number(change.check_out_day).to_string(),
        "roomCents": change.room_cents,
        "mealCents": change.meal_cents,
        "totalCents": change.total_cents,
        "lines": change.lines,
        "feeCents": change.fee_cents,
        "currency": currency,
    }))
}
