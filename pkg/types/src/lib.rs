//! Values that cross services: numbers of orders and payments, money, stays, roles, and the names of topics, queues and jobs.

mod event;
pub mod idempotency;
mod role;
mod sn;
mod stay;

pub use event::{Event, OrderChanged, PaymentStatus, job, queue, topic};
pub use role::Role;
pub use sn::{OrderSn, PaymentSn, RefundSn, SnError};
pub use stay::{Stay, StayError, date_of_number, day_number, midnight_s, parse_date, zone};

/// The largest integer that every JSON reader keeps exactly (RFC 8259 §6): 2^53.
pub const MAX_SAFE_ID: i64 = 1 << 53;

/// Yuan as the looklook face shows it, a float truncated to cents (contract.md §1.2), from integer cents.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53 cents")]
pub fn yuan(cents: i64) -> f64 {
    cents as f64 / 100.0
}
