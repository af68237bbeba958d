//! What may follow what: states of payments and refunds, without clock, database or provider.

use std::str::FromStr;

use homestay_error::Error;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Our intent; the provider may not have heard of it yet.
    Created,
    /// The payer can pay.
    Pending,
    /// The provider has the money.
    Captured,
    /// The payer's means was declined.
    Failed,
    /// Given up, at the provider too.
    Closed,
    /// The money is to go back.
    RefundPending,
    /// The money went back.
    Refunded,
    /// The provider has taken another amount than was asked for: it pays nothing, and a person gives it back.
    Disputed,
}

impl State {
    /// All states.
    pub const ALL: [State; 8] = [
        State::Created,
        State::Pending,
        State::Captured,
        State::Failed,
        State::Closed,
        State::RefundPending,
        State::Refunded,
        State::Disputed,
    ];

    /// The state's name in SQL, RPC and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Pending => "pending",
            State::Captured => "captured",
            State::Failed => "failed",
            State::Closed => "closed",
            State::RefundPending => "refund_pending",
            State::Refunded => "refunded",
            State::Disputed => "disputed",
        }
    }

    /// Every allowed change of a payment. A pair that is not listed is refused.
    ///
    /// Money is recorded whenever it comes, also for a payment that had failed or was closed; what has been captured is
    /// never forgotten again. Money that goes back is set apart first, also where a provider refunds of its own accord; while
    /// only part of it does, the payment stays captured. A disputed payment stays disputed, also when its money is back.
    #[must_use]
    pub fn can_become(self, next: State) -> bool {
        use State::{Captured, Closed, Created, Disputed, Failed, Pending, RefundPending, Refunded};
        matches!(
            (self, next),
            (Created, Pending | Captured | Failed | Closed | Disputed)
                | (Pending, Captured | Failed | Closed | Disputed)
                | (Failed | Closed, Captured | Disputed)
                | (Captured, RefundPending)
                | (RefundPending, Refunded)
        )
    }

    /// The states from which `next` is allowed.
    pub fn before(next: State) -> impl Iterator<Item = State> {
        Self::ALL.into_iter().filter(move |state| state.can_become(next))
    }

    /// Whether the payer may still pay.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, State::Created | State::Pending)
    }

    /// The one outward projection (contract.md §1.5): 0 waiting, 1 paid, 2 refunded, -1 failed.
    #[must_use]
    pub fn pay_status(self) -> i64 {
        match self {
            State::Created | State::Pending => 0,
            State::Captured | State::RefundPending => 1,
            State::Refunded => 2,
            State::Failed | State::Closed | State::Disputed => -1,
        }
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::internal(format!("no payment state {text:?}")))
    }
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// To be asked for, or being worked on by the provider.
    Pending,
    /// The money went back.
    Succeeded,
    /// The provider refused: somebody has to look.
    Failed,
}

impl RefundState {
    const ALL: [RefundState; 3] = [RefundState::Pending, RefundState::Succeeded, RefundState::Failed];

    /// The state's name in SQL and RPC.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RefundState::Pending => "pending",
            RefundState::Succeeded => "succeeded",
            RefundState::Failed => "failed",
        }
    }

    /// Every allowed change of a refund. What went back is back; what was refused may be tried again by a person, or turn out
    /// to have gone back after all.
    #[must_use]
    pub fn can_become(self, next: RefundState) -> bool {
        use RefundState::{Failed, Pending, Succeeded};
        matches!(
            (self, next),
            (Pending, Succeeded | Failed) | (Failed, Pending | Succeeded)
        )
    }

    /// The states from which `next` is allowed.
    pub fn before(next: RefundState) -> impl Iterator<Item = RefundState> {
        Self::ALL.into_iter().filter(move |state| state.can_become(next))
    }
}

impl FromStr for RefundState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::internal(format!("no refund state {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_changes_is_this_one() {
        use State::*;
        // Rows: from; columns in the order of ALL.
        let table = [
            (Created, [0, 1, 1, 1, 1, 0, 0, 1]),
            (Pending, [0, 0, 1, 1, 1, 0, 0, 1]),
            (Captured, [0, 0, 0, 0, 0, 1, 0, 0]),
            (Failed, [0, 0, 1, 0, 0, 0, 0, 1]),
            (Closed, [0, 0, 1, 0, 0, 0, 0, 1]),
            (RefundPending, [0, 0, 0, 0, 0, 0, 1, 0]),
            (Refunded, [0, 0, 0, 0, 0, 0, 0, 0]),
            (Disputed, [0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        assert_eq!(table.map(|row| row.0), State::ALL);
        for (from, row) in table {
            for (to, allowed) in State::ALL.into_iter().zip(row) {
                assert_eq!(from.can_become(to), allowed == 1, "{from:?} to {to:?}");
            }
        }
        assert_eq!(
            State::before(Captured).collect::<Vec<_>>(),
            [Created, Pending, Failed, Closed]
        );
    }

    #[test]
    fn the_table_of_changes_of_refunds_is_this_one() {
        use RefundState::*;
        let table = [(Pending, [0, 1, 1]), (Succeeded, [0, 0, 0]), (Failed, [1, 1, 0])];
        assert_eq!(table.map(|row| row.0), RefundState::ALL);
        for (from, row) in table {
            for (to, allowed) in RefundState::ALL.into_iter().zip(row) {
                assert_eq!(from.can_become(to), allowed == 1, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn captured_money_is_never_forgotten() {
        for from in [State::Captured, State::RefundPending] {
            for to in State::ALL.into_iter().filter(|to| from.can_become(*to)) {
                assert!(to.pay_status() >= 1, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn names_are_read_back_and_the_outward_codes_are_the_contracts() {
        let codes = State::ALL.map(|state| {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
            state.pay_status()
        });
        assert_eq!(codes, [0, 0, 1, -1, -1, 1, 2, -1]);
        for state in RefundState::ALL {
            assert_eq!(state.as_str().parse::<RefundState>().unwrap(), state);
        }
        assert!("99".parse::<State>().is_err());
        assert!("".parse::<RefundState>().is_err());
    }
}
