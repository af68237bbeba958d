//! What goes back when a guest cancels, or makes a stay cheaper: rules without I/O.

use homestay_error::{Error, Result};
use homestay_proto::common as pb;
use homestay_types::{date_of_number, share, zone};
use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;
/// 15:00, where a house does not say when guests may come.
const CHECK_IN_MINUTE: i64 = 900;
/// The last minute of a day.
const LAST_MINUTE: i64 = 24 * 60 - 1;

/// With so much notice, this part goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Window {
    pub(crate) hours_before: i64,
    pub(crate) refund_percent: i64,
}

/// A policy: windows, longest notice first. With less notice than the last one asks for, nothing goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) windows: Vec<Window>,
}

/// All of it, in per cent.
pub(crate) const ALL: i64 = 100;

/// What a booking has cost its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paid {
    /// What was captured and is not to go back.
    pub(crate) cents: i64,
    /// Kept by changes, of that.
    pub(crate) fee_cents: i64,
    /// The most that goes back of the rest, in per cent.
    pub(crate) cap: i64,
}

/// What a cancellation gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Back {
    pub(crate) percent: i64,
    pub(crate) refund_cents: i64,
    pub(crate) kept_cents: i64,
    /// The last instant at which it is so; 0: it stays so.
    pub(crate) until_ms: i64,
}

impl Policy {
    /// All of it until a day before check-in.
    pub(crate) fn flexible() -> Self {
        Self {
            name: "flexible".to_owned(),
            windows: vec![Window {
                hours_before: 24,
                refund_percent: 100,
            }],
        }
    }

    /// The policy of a house; one that has none is flexible.
    pub(crate) fn of_house(policy: Option<pb::CancellationPolicy>) -> Self {
        let Some(policy) = policy.filter(|policy| !policy.name.is_empty()) else {
            return Self::flexible();
        };
        let mut windows: Vec<Window> = policy
            .windows
            .into_iter()
            .map(|window| Window {
                hours_before: window.hours_before,
                refund_percent: window.refund_percent.clamp(0, 100),
            })
            .collect();
        windows.sort_by_key(|window| std::cmp::Reverse(window.hours_before));
        Self {
            name: policy.name,
            windows,
        }
    }

    /// The part that goes back if the guest of a booking, for which at most `cap` does, cancels at `now_ms`; and the last
    /// instant at which it is so, 0: it stays so.
    pub(crate) fn percent(&self, cap: i64, check_in_at_ms: i64, now_ms: i64) -> (i64, i64) {
        let ends_ms =
            |window: &Window| check_in_at_ms.saturating_sub(window.hours_before.saturating_mul(HOUR_MS));
        let mut ahead = self
            .windows
            .iter()
            .skip_while(|window| ends_ms(window) < now_ms)
            .peekable();
        let percent = ahead.peek().map_or(0, |window| window.refund_percent.min(cap));
        let mut until_ms = 0;
        while let Some(window) = ahead.next_if(|window| window.refund_percent.min(cap) == percent) {
            until_ms = ends_ms(window);
        }
        // After the last window nothing goes back.
        if percent == 0 && ahead.peek().is_none() {
            until_ms = 0;
        }
        (percent, until_ms)
    }

    /// What goes back if the guest cancels at `now_ms`. Fees that changes have kept stay kept: else a stay would be made cheap
    /// first and cancelled then for more than its policy gives.
    pub(crate) fn back(&self, paid: Paid, check_in_at_ms: i64, now_ms: i64) -> Back {
        let (percent, until_ms) = self.percent(paid.cap, check_in_at_ms, now_ms);
        let refund_cents = share(paid.cents - paid.fee_cents, percent * 100);
        Back {
            percent,
            refund_cents,
            kept_cents: paid.cents - refund_cents,
            until_ms,
        }
    }
}

/// What is kept of a stay that becomes cheaper, where `percent` of the difference goes back.
pub(crate) fn change_fee(old_stay_cents: i64, new_stay_cents: i64, percent: i64) -> i64 {
    let less = (old_stay_cents - new_stay_cents).max(0);
    less - share(less, percent * 100)
}

impl Back {
    /// All of it: the host or an operator cancels.
    pub(crate) fn all(charged_cents: i64) -> Self {
        Self {
            percent: 100,
            refund_cents: charged_cents,
            kept_cents: 0,
            until_ms: 0,
        }
    }
}

impl From<Policy> for pb::CancellationPolicy {
    fn from(policy: Policy) -> Self {
        Self {
            name: policy.name,
            windows: policy
                .windows
                .into_iter()
                .map(|window| pb::PolicyWindow {
                    hours_before: window.hours_before,
                    refund_percent: window.refund_percent,
                })
                .collect(),
        }
    }
}

/// Takes `cents` from payments of which so much is left, in this order. Fewer than asked for if there is not enough.
pub(crate) fn take_from(left: impl IntoIterator<Item = i64>, cents: i64) -> Vec<i64> {
    let mut wanted = cents.max(0);
    left.into_iter()
        .map(|left| {
            let taken = left.clamp(0, wanted);
            wanted -= taken;
            taken
        })
        .collect()
}

/// The minute of the day at which guests of a house may come.
pub(crate) fn check_in_minute(of_house: i64) -> i64 {
    match of_house {
        1..=LAST_MINUTE => of_house,
        _ => CHECK_IN_MINUTE,
    }
}

/// The instant of a minute of a day on the clocks of a zone; where the clocks skip it, as much later as they skip.
///
/// # Errors
/// If the zone is unknown.
pub(crate) fn check_in_at_ms(day: i64, minute: i64, zone_name: &str) -> Result<i64> {
    let zone = zone(zone_name).map_err(Error::internal)?;
    let part = |number: i64| i8::try_from(number).map_err(Error::internal);
    let at = date_of_number(day).at(part(minute / 60)?, part(minute % 60)?, 0, 0);
    Ok(zone
        .to_zoned(at)
        .map_err(Error::internal)?
        .timestamp()
        .as_millisecond())
}

#[cfg(test)]
mod tests;
