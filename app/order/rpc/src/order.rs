//! An order as the database keeps it, and what is read off it without asking anybody.

use homestay_error::{Error, Result};
use homestay_proto::common::PriceLine;
use homestay_types::{OrderSn, date_of_number, day_number, midnight_s, zone};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::{self, Policy};
use crate::rules::{By, State};

/// The house as it was when it was booked (contract.md §1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HouseSnapshot {
    pub(crate) id: i64,
    pub(crate) shop_id: i64,
    pub(crate) host_id: i64,
    pub(crate) title: String,
    pub(crate) sub_title: String,
    pub(crate) cover: String,
    pub(crate) info: String,
    pub(crate) people_num: i64,
    pub(crate) row_type: i64,
    pub(crate) food_info: String,
    pub(crate) food_cents: i64,
    pub(crate) price_cents: i64,
    pub(crate) market_cents: i64,
    pub(crate) time_zone: String,
}

/// An order. Days are days since 1970-01-01 in the house's zone; times are unix milliseconds, 0 means not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) sn: OrderSn,
    pub(crate) hold_key: String,
    pub(crate) fingerprint: String,
    pub(crate) user_id: i64,
    pub(crate) house: HouseSnapshot,
    pub(crate) check_in_day: i64,
    pub(crate) check_out_day: i64,
    pub(crate) guests: i64,
    pub(crate) meals: bool,
    pub(crate) remark: String,
    pub(crate) unit: i64,
    pub(crate) attempt: i64,
    pub(crate) currency: String,
    pub(crate) room_cents: i64,
    pub(crate) meal_cents: i64,
    pub(crate) total_cents: i64,
    pub(crate) lines: Vec<Line>,
    pub(crate) state: State,
    pub(crate) created_at_ms: i64,
    pub(crate) pay_before_ms: i64,
    pub(crate) trade_code: String,
    pub(crate) paid_at_ms: i64,
    pub(crate) payment_sn: String,
    pub(crate) pay_type: String,
    pub(crate) released_at_ms: i64,
    /// When the guest asked to cancel, and why.
    pub(crate) cancel_requested_at_ms: i64,
    pub(crate) cancel_reason: String,
    /// Who asked, if it was not the guest: `host` or `operator`.
    pub(crate) cancel_requested_by: String,
    pub(crate) policy: Policy,
    pub(crate) check_in_minute: i64,
    pub(crate) check_in_at_ms: i64,
    /// Highest attempt that was handed out, if it is above `attempt`.
    pub(crate) last_attempt: i64,
    /// What a payment of the booking must pay for.
    pub(crate) charge: i64,
    /// Attempt of the change that is not done with, 0: none.
    pub(crate) change_attempt: i64,
    /// Captured for it; decided to go back, of that; kept after a cancellation.
    pub(crate) charged_cents: i64,
    pub(crate) refund_cents: i64,
    pub(crate) kept_cents: i64,
    /// When payment-rpc was told of what is kept.
    pub(crate) settled_at_ms: i64,
    /// Who ended it after it was paid: `guest`, `host`, `operator` or nobody.
    pub(crate) ended_by: String,
    /// The most that a cancellation by the guest gives back, in per cent.
    pub(crate) refund_percent_cap: i64,
}

/// A priced line, as JSON in the row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    kind: String,
    date: String,
    unit_cents: i64,
    quantity: i64,
    total_cents: i64,
}

/// Kind of the line of what was kept of a stay that became cheaper.
const CHANGE_FEE: &str = "change_fee";

impl Line {
    /// What is kept of a stay that became cheaper.
    pub(crate) fn change_fee(first_night: i64, cents: i64) -> Self {
        Self {
            kind: CHANGE_FEE.to_owned(),
            date: date_of_number(first_night).to_string(),
            unit_cents: cents,
            quantity: 1,
            total_cents: cents,
        }
    }

    /// The cents of a fee; `None` for any other line.
    pub(crate) fn fee_cents(&self) -> Option<i64> {
        (self.kind == CHANGE_FEE).then_some(self.total_cents)
    }
}

impl From<PriceLine> for Line {
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

impl From<Line> for PriceLine {
    fn from(line: Line) -> Self {
        Self {
            kind: line.kind,
            date: line.date,
            unit_cents: line.unit_cents,
            quantity: line.quantity,
            total_cents: line.total_cents,
        }
    }
}

impl Order {
    /// Whether it has ended and its nights are not given back yet.
    pub(crate) fn release_due(&self) -> bool {
        !self.state.keeps_nights() && self.released_at_ms == 0
    }

    /// When the order stops waiting for money: at its time, or at its guest's wish.
    pub(crate) fn wait_ends_ms(&self) -> i64 {
        match self.cancel_requested_at_ms {
            0 => self.pay_before_ms,
            at => at.min(self.pay_before_ms),
        }
    }

    /// Who ends it if no money has come.
    pub(crate) fn ended_by(&self) -> By {
        match self.cancel_requested_by.as_str() {
            _ if self.cancel_requested_at_ms == 0 => By::Timeout,
            "host" => By::Host,
            "operator" => By::Operator,
            _ => By::Guest,
        }
    }

    /// Whether it ever was confirmed: what was captured then is no late money.
    pub(crate) fn was_confirmed(&self) -> bool {
        !self.trade_code.is_empty()
    }

    /// What was captured for it and is not to go back.
    pub(crate) fn paid_cents(&self) -> i64 {
        self.charged_cents - self.refund_cents
    }

    /// What its changes have kept, of the total.
    pub(crate) fn fee_cents(&self) -> i64 {
        self.lines.iter().filter_map(Line::fee_cents).sum()
    }

    /// The part that goes back if the guest cancels at `now_ms`; all of it while there is nothing to give back.
    pub(crate) fn refund_percent(&self, now_ms: i64) -> Result<i64> {
        if self.state == State::AwaitingPayment {
            return Ok(policy::ALL);
        }
        let (percent, _) = self
            .policy
            .percent(self.refund_percent_cap, self.check_in_at_ms()?, now_ms);
        Ok(percent)
    }

    /// The highest attempt that may hold nights for it.
    pub(crate) fn highest_attempt(&self) -> i64 {
        self.attempt.max(self.last_attempt)
    }

    /// The attempt that nights are taken under next.
    pub(crate) fn next_attempt(&self) -> i64 {
        self.highest_attempt() + 1
    }

    /// The instant at which the guests may come.
    pub(crate) fn check_in_at_ms(&self) -> Result<i64> {
        match self.check_in_at_ms {
            0 => policy::check_in_at_ms(self.check_in_day, self.check_in_minute, &self.house.time_zone),
            at => Ok(at),
        }
    }

    /// Unix seconds of the first instant of a day in the house's zone.
    pub(crate) fn midnight_s(&self, day: i64) -> Result<i64> {
        let zone = zone(&self.house.time_zone).map_err(Error::internal)?;
        Ok(midnight_s(date_of_number(day), &zone))
    }

    /// The day it is at `now_ms` where the house is.
    pub(crate) fn day_at(&self, now_ms: i64) -> Result<i64> {
        let zone = zone(&self.house.time_zone).map_err(Error::internal)?;
        let now = Timestamp::from_millisecond(now_ms).map_err(Error::internal)?;
        Ok(day_number(now.to_zoned(zone).date()))
    }
}
