//! What the REST face shows of an order.

use homestay_http::rfc3339;
use homestay_proto::common::{CancellationPolicy, PriceLine};
use homestay_proto::order as pb;
use homestay_types::{day_number, parse_date};
use serde::Serialize;
use utoipa::ToSchema;

/// A booking.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Order)]
pub(crate) struct OrderView {
    /// The order's number.
    #[schema(example = "HSO2026112110155900000001")]
    pub(crate) sn: String,
    pub(crate) id: i64,
    /// `awaiting_payment`, `confirmed`, `refund_pending`, `refunded`, `cancelled`, `used` or `expired`.
    #[schema(example = "awaiting_payment")]
    pub(crate) state: String,
    /// `guest`, `host`, `operator` or `timeout` once it was cancelled, else null.
    pub(crate) cancelled_by: Option<String>,
    /// The same as a number: -1 cancelled, 0 awaiting payment, 1 confirmed, 2 used, 3 refunded or being refunded, 4 expired.
    pub(crate) trade_state: i64,
    pub(crate) homestay: HomestayView,
    #[schema(format = Date, example = "2026-12-01")]
    pub(crate) check_in: String,
    /// Day of departure.
    #[schema(format = Date, example = "2026-12-03")]
    pub(crate) check_out: String,
    pub(crate) nights: i64,
    pub(crate) guests: i64,
    pub(crate) meals: bool,
    pub(crate) remark: String,
    /// ISO 4217.
    #[schema(example = "CNY")]
    pub(crate) currency: String,
    pub(crate) total_cents: i64,
    pub(crate) room_cents: i64,
    pub(crate) meal_cents: i64,
    /// How the price comes about.
    pub(crate) lines: Vec<LineView>,
    #[schema(format = DateTime)]
    pub(crate) created_at: Option<String>,
    /// Until when the nights are kept without payment.
    #[schema(format = DateTime)]
    pub(crate) pay_before: Option<String>,
    /// Null until paid.
    #[schema(format = DateTime)]
    pub(crate) paid_at: Option<String>,
    /// Where to pay, once a payment was started; null when there is nothing to pay.
    pub(crate) pay_url: Option<String>,
    /// To be paid now: the total while it awaits payment, the difference while a change waits for it, else 0.
    pub(crate) due_cents: i64,
    /// Until when; null when nothing is due.
    #[schema(format = DateTime)]
    pub(crate) due_before: Option<String>,
    /// Captured for it so far.
    pub(crate) charged_cents: i64,
    /// Decided to go back, of that: by changes and by the cancellation.
    pub(crate) refund_cents: i64,
    /// Kept by the policy after a cancellation.
    pub(crate) kept_cents: i64,
    /// As it was when the house was booked.
    pub(crate) cancellation_policy: PolicyView,
    /// When the guests may come.
    #[schema(format = DateTime)]
    pub(crate) check_in_at: Option<String>,
    /// What the guest shows at the door; null until paid.
    pub(crate) check_in_code: Option<String>,
    /// What happened so far, in order. Empty in a list.
    pub(crate) steps: Vec<StepView>,
}

/// What goes back when the guest cancels.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CancellationPolicy)]
pub(crate) struct PolicyView {
    /// `flexible`, `moderate`, `strict` or `custom`.
    #[schema(example = "moderate")]
    pub(crate) name: String,
    /// Longest notice first. The first one that is kept counts; with less notice than the last, nothing goes back.
    pub(crate) windows: Vec<WindowView>,
}

/// With so much notice, this part goes back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CancellationWindow)]
pub(crate) struct WindowView {
    /// Hours before `checkInAt`.
    pub(crate) hours_before: i64,
    /// 0 to 100.
    pub(crate) refund_percent: i64,
}

/// The house as it was when it was booked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BookedHomestay)]
pub(crate) struct HomestayView {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) sub_title: String,
    pub(crate) cover: String,
    pub(crate) shop_id: i64,
    pub(crate) host_id: i64,
    /// IANA name of the zone of the stay's dates.
    #[schema(example = "Asia/Shanghai")]
    pub(crate) time_zone: String,
}

/// A priced line.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderLine)]
pub(crate) struct LineView {
    /// `room`, `meals`, `discount`, or `change_fee`: what a change has kept of an earlier price.
    pub(crate) kind: String,
    /// The night.
    #[schema(format = Date)]
    pub(crate) date: String,
    pub(crate) unit_cents: i64,
    pub(crate) quantity: i64,
    pub(crate) total_cents: i64,
}

/// A step of the order and, where it was undone, when.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderStep)]
pub(crate) struct StepView {
    /// `Scheduling`, `Pre-Processing`, `Processing`, `Post-Processing`, `Completed` or `Failed`.
    pub(crate) name: String,
    #[schema(format = DateTime)]
    pub(crate) started_at: Option<String>,
    /// Null while it goes on, and for a step that failed.
    #[schema(format = DateTime)]
    pub(crate) ended_at: Option<String>,
    /// 1, and one more each time nights were taken again, or others in their place.
    pub(crate) attempt: i64,
    pub(crate) error: Option<String>,
    #[schema(format = DateTime)]
    pub(crate) undo_started_at: Option<String>,
    #[schema(format = DateTime)]
    pub(crate) undo_ended_at: Option<String>,
}

pub(crate) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn nights(check_in: &str, check_out: &str) -> i64 {
    match (parse_date(check_in), parse_date(check_out)) {
        (Ok(from), Ok(to)) => day_number(to) - day_number(from),
        _ => 0,
    }
}

impl From<pb::OrderView> for OrderView {
    fn from(order: pb::OrderView) -> Self {
        Self {
            sn: order.sn,
            id: order.id,
            state: order.state,
            cancelled_by: some(order.cancelled_by),
            trade_state: order.trade_state,
            homestay: HomestayView {
                id: order.house_id,
                title: order.title,
                sub_title: order.sub_title,
                cover: order.cover,
                shop_id: order.shop_id,
                host_id: order.host_id,
                time_zone: order.time_zone,
            },
            nights: nights(&order.check_in, &order.check_out),
            check_in: order.check_in,
            check_out: order.check_out,
            guests: order.guests,
            meals: order.meals,
            remark: order.remark,
            currency: order.currency,
            total_cents: order.total_cents,
            room_cents: order.room_cents,
            meal_cents: order.meal_cents,
            lines: order.lines.into_iter().map(Into::into).collect(),
            created_at: rfc3339(order.created_at_ms),
            pay_before: rfc3339(order.pay_before_ms),
            paid_at: rfc3339(order.paid_at_ms),
            pay_url: None,
            due_cents: order.due_cents,
            due_before: rfc3339(order.due_before_ms),
            charged_cents: order.charged_cents,
            refund_cents: order.refund_cents,
            kept_cents: order.kept_cents,
            cancellation_policy: order.policy.unwrap_or_default().into(),
            check_in_at: rfc3339(order.check_in_at_ms),
            check_in_code: some(order.trade_code),
            steps: order.steps.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<CancellationPolicy> for PolicyView {
    fn from(policy: CancellationPolicy) -> Self {
        Self {
            name: policy.name,
            windows: policy
                .windows
                .into_iter()
                .map(|window| WindowView {
                    hours_before: window.hours_before,
                    refund_percent: window.refund_percent,
                })
                .collect(),
        }
    }
}

impl From<PriceLine> for LineView {
    fn from(line: PriceLine) -> Self {
        Self {
            kind: line.kind,
            date: line.date,
            unit_cents: line.unit_cents,
            quantity: line.quantity,
            total_cents: line.total_cents,
        }
    }
}

impl From<pb::Step> for StepView {
    fn from(step: pb::Step) -> Self {
        Self {
            name: step.name,
            started_at: rfc3339(step.started_at_ms),
            ended_at: rfc3339(step.ended_at_ms),
            attempt: step.attempt,
            error: some(step.error),
            undo_started_at: rfc3339(step.undo_started_at_ms),
            undo_ended_at: rfc3339(step.undo_ended_at_ms),
        }
    }
}
