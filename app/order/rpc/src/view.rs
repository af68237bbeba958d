//! What is shown of an order and its changes.

use homestay_error::Result;
use homestay_proto::order as pb;
use homestay_rpc::Actor;
use homestay_types::date_of_number;

use crate::books::{Change, Stage};
use crate::order::Order;
use crate::policy::Back;
use crate::preview;
use crate::rules::{By, State};
use crate::step::Step;

/// What is to be paid now, for which charge, until when; zeros if nothing is.
pub(crate) fn due(order: &Order, change: Option<&Change>) -> (i64, i64, i64) {
    let held = change.filter(|change| change.stage == Stage::Held);
    match (order.state, held) {
        // Its total is about to change, or it is about to end.
        (State::AwaitingPayment, Some(_)) => (0, 0, 0),
        (State::AwaitingPayment, None) if order.cancel_requested_at_ms > 0 => (0, 0, 0),
        (State::AwaitingPayment, None) => (order.total_cents, order.charge, order.pay_before_ms),
        (State::Confirmed, Some(change)) if change.due_before_ms > 0 => {
            (change.due_cents, change.attempt, change.due_before_ms)
        }
        _ => (0, 0, 0),
    }
}

/// An order with the change that is not done with, as `actor` may see it.
pub(crate) fn order(
    order: Order,
    change: Option<&Change>,
    steps: Vec<Step>,
    actor: &Actor,
) -> Result<pb::OrderView> {
    let (check_in_s, check_out_s) = (
        order.midnight_s(order.check_in_day)?,
        order.midnight_s(order.check_out_day)?,
    );
    let (due_cents, due_charge, due_before_ms) = due(&order, change);
    // It opens no door any more once the money goes back; and the guest shows it to the host, not we.
    let shows_code = order.state.keeps_nights() && preview::party(actor, &order) != Some(By::Host);
    let check_in_at_ms = order.check_in_at_ms()?;
    let house = order.house;
    Ok(pb::OrderView {
        id: order.id,
        sn: order.sn.into(),
        user_id: order.user_id,
        house_id: house.id,
        shop_id: house.shop_id,
        host_id: house.host_id,
        title: house.title,
        sub_title: house.sub_title,
        cover: house.cover,
        info: house.info,
        people_num: house.people_num,
        row_type: house.row_type,
        meals: order.meals,
        food_info: house.food_info,
        food_cents: house.food_cents,
        price_cents: house.price_cents,
        market_cents: house.market_cents,
        check_in: date_of_number(order.check_in_day).to_string(),
        check_out: date_of_number(order.check_out_day).to_string(),
        check_in_s,
        check_out_s,
        guests: order.guests,
        remark: order.remark,
        currency: order.currency,
        room_cents: order.room_cents,
        meal_cents: order.meal_cents,
        total_cents: order.total_cents,
        lines: order.lines.into_iter().map(Into::into).collect(),
        state: order.state.name().to_owned(),
        cancelled_by: match order.state.cancelled_by() {
            "" => order.ended_by,
            by => by.to_owned(),
        },
        trade_state: order.state.outward(),
        trade_code: if shows_code {
            order.trade_code
        } else {
            String::new()
        },
        created_at_ms: order.created_at_ms,
        pay_before_ms: order.pay_before_ms,
        paid_at_ms: order.paid_at_ms,
        payment_sn: order.payment_sn,
        pay_type: order.pay_type,
        time_zone: house.time_zone,
        unit: order.unit,
        attempt: order.attempt,
        steps: steps.into_iter().map(step).collect(),
        due_cents,
        due_charge,
        due_before_ms,
        policy: Some(order.policy.into()),
        check_in_at_ms,
        charged_cents: order.charged_cents,
        refund_cents: order.refund_cents,
        kept_cents: order.kept_cents,
        payment_sns: Vec::new(),
    })
}

fn step(step: Step) -> pb::Step {
    pb::Step {
        name: step.name,
        started_at_ms: step.started_at_ms,
        ended_at_ms: step.ended_at_ms,
        attempt: step.attempt,
        node: step.node,
        error: step.error,
        undo_started_at_ms: step.undo_started_at_ms,
        undo_ended_at_ms: step.undo_ended_at_ms,
    }
}

/// What cancelling gives back.
pub(crate) fn cancel_preview(order: Order, back: Back) -> pb::CancelPreview {
    pb::CancelPreview {
        refund_cents: back.refund_cents,
        kept_cents: back.kept_cents,
        charged_cents: back.refund_cents + back.kept_cents,
        currency: order.currency,
        percent: back.percent,
        valid_until_ms: back.until_ms,
        policy: Some(order.policy.into()),
    }
}

/// A change.
pub(crate) fn change(change: &Change, currency: &str) -> pb::ChangeView {
    let waits = change.stage.is_open();
    pb::ChangeView {
        attempt: change.attempt,
        state: change.stage.name().to_owned(),
        check_in: date_of_number(change.check_in_day).to_string(),
        check_out: date_of_number(change.check_out_day).to_string(),
        guests: change.guests,
        meals: change.meals,
        currency: currency.to_owned(),
        room_cents: change.room_cents,
        meal_cents: change.meal_cents,
        total_cents: change.total_cents,
        old_total_cents: change.old_total_cents,
        due_cents: if waits { change.due_cents } else { 0 },
        due_before_ms: if waits { change.due_before_ms } else { 0 },
        refund_cents: change.refund_cents,
        fee_cents: change.fee_cents,
        created_at_ms: change.created_at_ms,
        ended_at_ms: change.ended_at_ms,
        error: change.error.clone(),
        lines: change.lines.iter().cloned().map(Into::into).collect(),
    }
}
