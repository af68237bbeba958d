//! States of an order: which may follow which, and how the outside sees them.

/// Who ended an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The guest: money that comes later is always refunded.
    Guest,
    /// The clock: money that comes later buys the nights again if they are free.
    Timeout,
    /// The host of the house.
    Host,
    /// An operator or admin.
    Operator,
}

impl By {
    /// The name in SQL, on the wire and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            By::Guest => "guest",
            By::Timeout => "timeout",
            By::Host => "host",
            By::Operator => "operator",
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    AwaitingPayment,
    Confirmed,
    RefundPending,
    Refunded,
    Cancelled(By),
    Used,
    Expired,
}

use State::{AwaitingPayment, Cancelled, Confirmed, Expired, RefundPending, Refunded, Used};

impl State {
    /// All states.
    pub(crate) const ALL: [State; 10] = [
        AwaitingPayment,
        Confirmed,
        RefundPending,
        Refunded,
        Cancelled(By::Guest),
        Cancelled(By::Timeout),
        Cancelled(By::Host),
        Cancelled(By::Operator),
        Used,
        Expired,
    ];

    /// The name in SQL, on the wire and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AwaitingPayment => "awaiting_payment",
            Confirmed => "confirmed",
            RefundPending => "refund_pending",
            Refunded => "refunded",
            Cancelled(_) => "cancelled",
            Used => "used",
            Expired => "expired",
        }
    }

    /// Who cancelled it: `guest`, `timeout`, `host`, `operator` or nothing.
    pub(crate) fn cancelled_by(self) -> &'static str {
        match self {
            Cancelled(by) => by.name(),
            _ => "",
        }
    }

    /// The state of a row.
    pub(crate) fn read(name: &str, cancelled_by: &str) -> Option<State> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name && state.cancelled_by() == cancelled_by)
    }

    /// Every allowed change. A pair that is not listed is refused.
    pub(crate) fn may_become(self, next: State) -> bool {
        matches!(
            (self, next),
            (AwaitingPayment, Confirmed | Cancelled(_))
                | (Confirmed, Used | Expired | RefundPending)
                // Of which nothing goes back: by the policy, or as nothing was paid.
                | (Confirmed, Cancelled(By::Guest | By::Host | By::Operator))
                // Late money: the nights are taken again, or it goes back.
                | (Cancelled(By::Timeout), Confirmed)
                | (Cancelled(_), RefundPending)
                | (RefundPending, Refunded)
        )
    }

    /// The one projection to the contract's six codes (contract.md §1.5).
    pub(crate) fn outward(self) -> i64 {
        match self {
            Cancelled(_) => -1,
            AwaitingPayment => 0,
            Confirmed => 1,
            Used => 2,
            RefundPending | Refunded => 3,
            Expired => 4,
        }
    }

    /// The SQL names behind an outward code; none for a number that is no code.
    pub(crate) fn names_of_outward(code: i64) -> Vec<&'static str> {
        let mut names: Vec<_> = Self::ALL
            .into_iter()
            .filter(|state| state.outward() == code)
            .map(State::name)
            .collect();
        names.dedup();
        names
    }

    /// Whether an order in this state has a right to its nights.
    pub(crate) fn keeps_nights(self) -> bool {
        match self {
            AwaitingPayment | Confirmed | Used | Expired => true,
            Cancelled(_) | RefundPending | Refunded => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_changes_is_complete() {
        let allowed = [
            (AwaitingPayment, Confirmed),
            (AwaitingPayment, Cancelled(By::Guest)),
            (AwaitingPayment, Cancelled(By::Timeout)),
            (AwaitingPayment, Cancelled(By::Host)),
            (AwaitingPayment, Cancelled(By::Operator)),
            (Confirmed, Cancelled(By::Guest)),
            (Confirmed, Cancelled(By::Host)),
            (Confirmed, Cancelled(By::Operator)),
            (Confirmed, Used),
            (Confirmed, Expired),
            (Confirmed, RefundPending),
            (Cancelled(By::Timeout), Confirmed),
            (Cancelled(By::Timeout), RefundPending),
            (Cancelled(By::Guest), RefundPending),
            (Cancelled(By::Host), RefundPending),
            (Cancelled(By::Operator), RefundPending),
            (RefundPending, Refunded),
        ];
        for from in State::ALL {
            for to in State::ALL {
                assert_eq!(
                    from.may_become(to),
                    allowed.contains(&(from, to)),
                    "{from:?} -> {to:?}"
                );
            }
        }
    }

    #[test]
    fn the_outside_sees_six_codes() {
        let cases = [
            (AwaitingPayment, 0),
            (Confirmed, 1),
            (RefundPending, 3),
            (Refunded, 3),
            (Cancelled(By::Guest), -1),
            (Cancelled(By::Timeout), -1),
            (Cancelled(By::Host), -1),
            (Cancelled(By::Operator), -1),
            (Used, 2),
            (Expired, 4),
        ];
        assert_eq!(cases.len(), State::ALL.len());
        for (state, code) in cases {
            assert_eq!(state.outward(), code, "{state:?}");
        }
    }

    #[test]
    fn a_filter_by_code_finds_every_state_behind_it() {
        let cases: [(i64, &[&str]); 8] = [
            (-1, &["cancelled"]),
            (0, &["awaiting_payment"]),
            (1, &["confirmed"]),
            (2, &["used"]),
            (3, &["refund_pending", "refunded"]),
            (4, &["expired"]),
            (5, &[]),
            (-99, &[]),
        ];
        for (code, names) in cases {
            assert_eq!(State::names_of_outward(code), names, "{code}");
        }
    }

    #[test]
    fn a_state_is_read_back_from_its_row() {
        for state in State::ALL {
            assert_eq!(State::read(state.name(), state.cancelled_by()), Some(state));
        }
        for (name, by) in [("cancelled", ""), ("confirmed", "guest"), ("99", ""), ("", "")] {
            assert_eq!(State::read(name, by), None, "{name} {by}");
        }
    }
}
