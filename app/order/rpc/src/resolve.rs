//! Tells travel whether a hold whose order it has not heard of belongs to one.

use homestay_error::{Error, Result};
use homestay_proto::order as pb;

use crate::OrderService;
use crate::store::{self, holds::Owner};

/// Most holds in one call.
const BATCH: usize = 1000;

/// What becomes of a hold.
fn verdict(hold: &pb::HoldRef, owner: Option<&Owner>) -> pb::resolve_holds_reply::Verdict {
    use pb::resolve_holds_reply::Verdict;
    match owner {
        Some(owner)
            if owner.state.keeps_nights()
                && owner.order_sn == hold.order_sn
                && owner.attempt == hold.attempt =>
        {
            Verdict::Bind
        }
        // A change is under way: which of the two holds stays is not known before the other one is given back.
        Some(owner)
            if owner.state.keeps_nights()
                && owner.order_sn == hold.order_sn
                && owner.change.is_some_and(|change| change.keeps(hold.attempt)) =>
        {
            Verdict::Wait
        }
        // Nobody's, and its tombstone sees to it that it stays so; or of an order that has ended, or lives on other nights.
        _ => Verdict::Release,
    }
}

impl OrderService {
    /// Whether holds belong to orders, in the order asked. A key that is unknown gets a tombstone: no order can be written
    /// for it any more.
    ///
    /// # Errors
    /// Those of the database; more than [`BATCH`] holds.
    pub(crate) async fn resolve(&self, holds: Vec<pb::HoldRef>) -> Result<Vec<i32>> {
        if holds.len() > BATCH {
            return Err(Error::invalid("holds", format!("must be at most {BATCH}")));
        }
        if holds.is_empty() {
            return Ok(Vec::new());
        }
        let mut keys: Vec<String> = holds.iter().map(|hold| hold.hold_key.clone()).collect();
        // In one order for all, so that two calls cannot wait for each other.
        keys.sort();
        keys.dedup();
        let owners = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    store::holds::bury(tx, &keys).await?;
                    store::holds::owners(tx, &keys).await
                })
            })
            .await?;
        Ok(holds
            .iter()
            .map(|hold| verdict(hold, owners.get(&hold.hold_key)).into())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::State;
    use pb::resolve_holds_reply::Verdict;

    #[test]
    fn only_the_living_attempt_of_a_living_order_keeps_its_nights() {
        let hold = |sn: &str, attempt| pb::HoldRef {
            hold_key: "k".into(),
            order_sn: sn.into(),
            attempt,
        };
        for state in State::ALL {
            let owner = Owner {
                order_sn: "A".into(),
                state,
                attempt: 2,
                change: None,
            };
            let own = if state.keeps_nights() {
                Verdict::Bind
            } else {
                Verdict::Release
            };
            assert_eq!(verdict(&hold("A", 2), Some(&owner)), own, "{state:?}");
            assert_eq!(
                verdict(&hold("A", 1), Some(&owner)),
                Verdict::Release,
                "{state:?}"
            );
            assert_eq!(
                verdict(&hold("B", 2), Some(&owner)),
                Verdict::Release,
                "{state:?}"
            );
        }
        assert_eq!(verdict(&hold("A", 1), None), Verdict::Release);
    }

    #[test]
    fn both_holds_of_a_change_that_is_not_done_with_wait() {
        use crate::books::Stage::{Applied, Asked, Dropped, Held, Refused};
        use crate::store::holds::Changing;
        // What the order lives on is bound; attempts 2 and 3 are of the change.
        let cases = [
            (Asked, 2, [Verdict::Release, Verdict::Bind, Verdict::Wait]),
            (Held, 2, [Verdict::Release, Verdict::Bind, Verdict::Wait]),
            (Applied, 3, [Verdict::Release, Verdict::Wait, Verdict::Bind]),
            (Dropped, 2, [Verdict::Release, Verdict::Bind, Verdict::Wait]),
            (Refused, 2, [Verdict::Release, Verdict::Bind, Verdict::Release]),
        ];
        for (stage, attempt, want) in cases {
            let owner = Owner {
                order_sn: "A".into(),
                state: State::Confirmed,
                attempt,
                change: Some(Changing {
                    attempt: 3,
                    from_attempt: 2,
                    stage,
                }),
            };
            let got = [1, 2, 3].map(|attempt| {
                let hold = pb::HoldRef {
                    hold_key: "k".into(),
                    order_sn: "A".into(),
                    attempt,
                };
                verdict(&hold, Some(&owner))
            });
            assert_eq!(got, want, "{stage:?}");
            let ended = Owner {
                state: State::RefundPending,
                ..owner
            };
            let hold = pb::HoldRef {
                hold_key: "k".into(),
                order_sn: "A".into(),
                attempt: 3,
            };
            assert_eq!(verdict(&hold, Some(&ended)), Verdict::Release);
        }
    }
}
