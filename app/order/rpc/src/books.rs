//! What belongs to an order besides its row: the payments that pay it, the refunds that were decided, the change under way.

use crate::order::Line;

/// A payment that pays the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paying {
    pub(crate) charge: i64,
    pub(crate) payment_sn: String,
    pub(crate) amount_cents: i64,
    /// Decided to go back.
    pub(crate) back_cents: i64,
}

impl Paying {
    /// What is left of it.
    pub(crate) fn left_cents(&self) -> i64 {
        self.amount_cents - self.back_cents
    }
}

/// A refund that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) payment_sn: String,
    /// What payment-rpc knows it by; empty: all that is left.
    pub(crate) key: String,
    pub(crate) amount_cents: i64,
    pub(crate) reason: String,
    /// payment-rpc knows of it.
    pub(crate) asked: bool,
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Written down; travel may or may not know of it.
    Asked,
    /// Travel holds what it needs, beside what the booking has.
    Held,
    /// The booking is what was asked for; what it had before is to be given back.
    Applied,
    /// Travel refused it: nothing is held.
    Refused,
    /// Given up: what is held for it is to be given back.
    Dropped,
}

impl Stage {
    const ALL: [Stage; 5] = [
        Stage::Asked,
        Stage::Held,
        Stage::Applied,
        Stage::Refused,
        Stage::Dropped,
    ];

    /// The name in SQL, on the wire and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Asked => "asked",
            Stage::Held => "held",
            Stage::Applied => "applied",
            Stage::Refused => "refused",
            Stage::Dropped => "dropped",
        }
    }

    /// The stage of a row.
    pub(crate) fn read(name: &str) -> Option<Stage> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether it is not decided yet.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Stage::Asked | Stage::Held)
    }
}

/// A change of dates or guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) order_sn: String,
    pub(crate) attempt: i64,
    pub(crate) from_attempt: i64,
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) stage: Stage,
    pub(crate) check_in_day: i64,
    pub(crate) check_out_day: i64,
    pub(crate) check_in_at_ms: i64,
    pub(crate) guests: i64,
    pub(crate) meals: bool,
    pub(crate) expected_cents: i64,
    pub(crate) old_total_cents: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) unit: i64,
    pub(crate) room_cents: i64,
    pub(crate) meal_cents: i64,
    pub(crate) total_cents: i64,
    pub(crate) lines: Vec<Line>,
    /// What a cancellation would have given back when travel answered, and what is kept of the difference.
    pub(crate) refund_percent: i64,
    pub(crate) fee_cents: i64,
    pub(crate) due_cents: i64,
    pub(crate) due_before_ms: i64,
    pub(crate) refund_cents: i64,
    pub(crate) ended_at_ms: i64,
    pub(crate) error_code: String,
    pub(crate) error: String,
    pub(crate) released_at_ms: i64,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// Newest charge first: the order in which money goes back.
    pub(crate) paying: Vec<Paying>,
    pub(crate) refunds: Vec<Intent>,
    /// The change that is not done with.
    pub(crate) change: Option<Change>,
}

impl Books {
    /// Whether a payment pays the order.
    pub(crate) fn has(&self, payment_sn: &str) -> bool {
        self.paying.iter().any(|paying| paying.payment_sn == payment_sn)
    }
}
