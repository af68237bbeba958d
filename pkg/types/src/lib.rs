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

/// A part of an amount in hundredths of a per cent, rounded half up to the cent. Never less than nothing, never more than the
/// amount: a part outside of 0 to 10,000 counts as the nearest of them, an amount below nothing as nothing.
#[must_use]
pub fn share(cents: i64, basis_points: i64) -> i64 {
    let cents = cents.max(0);
    let exact = i128::from(cents) * i128::from(basis_points.clamp(0, 10_000));
    i64::try_from((exact + 5_000) / 10_000).unwrap_or(cents)
}

/// Yuan as the looklook face shows it, a float truncated to cents (contract.md §1.2), from integer cents.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53 cents")]
pub fn yuan(cents: i64) -> f64 {
    cents as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_share_is_rounded_half_up_to_the_cent_and_stays_within_the_amount() {
        for (cents, basis_points, want) in [
            (25_600, 5_000, 12_800),
            (25_600, 60, 154),
            (1, 5_000, 1),
            (1, 4_999, 0),
            (3, 5_000, 2),
            (100, 50, 1),
            (100, 49, 0),
            (0, 10_000, 0),
            (i64::MAX, 10_000, i64::MAX),
            (i64::MAX, 5_000, i64::MAX / 2 + 1),
            (-1, 10_000, 0),
            (100, -1, 0),
            (100, 10_001, 100),
        ] {
            assert_eq!(share(cents, basis_points), want, "{cents} {basis_points}");
        }
    }
}
