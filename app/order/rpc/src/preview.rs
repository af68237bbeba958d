//! Who stands how to an order, and what its cancellation gives back: the same answer before and at the cancellation.

use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;
use serde::Serialize;

use crate::OrderService;
use crate::order::Order;
use crate::policy::{Back, Paid};
use crate::rules::{By, State};

/// As whom an account may end an order; `None`: the order is none of its business.
pub(crate) fn party(actor: &Actor, order: &Order) -> Option<By> {
    let id = actor.user_id()?;
    if id == order.user_id {
        Some(By::Guest)
    } else if actor.hosts(order.house.host_id) {
        Some(By::Host)
    } else {
        actor.sees_all().then_some(By::Operator)
    }
}

/// What cancelling gives back, as it is told. As JSON it is also the detail of `REFUND_CHANGED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preview {
    pub(crate) refund_cents: i64,
    pub(crate) kept_cents: i64,
    pub(crate) charged_cents: i64,
    pub(crate) currency: String,
    pub(crate) percent: i64,
}

/// What goes back if `by` cancels at `now_ms`.
///
/// # Errors
/// [`Code::OrderState`] for an order that cannot be cancelled, and for its guest after the stay.
pub(crate) fn back(order: &Order, by: By, now_ms: i64) -> Result<Back> {
    match order.state {
        State::AwaitingPayment => Ok(Back::all(0)),
        State::Confirmed if by != By::Guest => Ok(Back::all(order.paid_cents())),
        State::Confirmed if order.day_at(now_ms)? > order.check_out_day => {
            Err(Error::with(Code::OrderState, "the stay is over"))
        }
        State::Confirmed => {
            let paid = Paid {
                cents: order.paid_cents(),
                fee_cents: order.fee_cents(),
                cap: order.refund_percent_cap,
            };
            Ok(order.policy.back(paid, order.check_in_at_ms()?, now_ms))
        }
        _ => Err(Error::new(Code::OrderState)),
    }
}

/// The same with what belongs to it.
pub(crate) fn preview(order: &Order, back: Back) -> Preview {
    Preview {
        refund_cents: back.refund_cents,
        kept_cents: back.kept_cents,
        charged_cents: back.refund_cents + back.kept_cents,
        currency: order.currency.clone(),
        percent: back.percent,
    }
}

impl OrderService {
    /// What cancelling would give back now, for who may cancel.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`] for an unknown or foreign order; those of [`back`].
    pub(crate) async fn preview_cancel(&self, actor: &Actor, sn: &str) -> Result<(Order, Back)> {
        let order = self.order(sn).await?;
        let by = party(actor, &order).ok_or_else(|| Error::new(Code::OrderNotFound))?;
        let order = self.with_what_is_left(order).await?;
        let back = back(&order, by, self.clock.now_ms())?;
        Ok((order, back))
    }
}
