use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of order-rpc, section `order`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long an unpaid order keeps its nights, such as "30m".
    #[serde(with = "humantime_serde")]
    pub close_after: Duration,
    /// How long after that an order waits for the answer whether it was paid, such as "10m". Then it is closed without:
    /// money that turns up later buys the nights again, or is refunded.
    #[serde(with = "humantime_serde")]
    pub close_give_up: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            close_after: Duration::from_secs(30 * 60),
            close_give_up: Duration::from_secs(10 * 60),
        }
    }
}

impl Config {
    pub(crate) fn close_after_ms(&self) -> i64 {
        millis(self.close_after)
    }

    pub(crate) fn close_give_up_ms(&self) -> i64 {
        millis(self.close_give_up)
    }
}

/// Far less than an overflow of what it is added to, far more than anybody waits.
const YEARS_MS: i64 = 1000 * 365 * 24 * 3_600_000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).map_or(YEARS_MS, |ms| ms.min(YEARS_MS))
}
