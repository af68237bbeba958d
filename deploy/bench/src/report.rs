//! Figures beside their targets.

use crate::load::{Outcome, count};
use crate::routes::Route;
use crate::system::Used;

/// What a setting is expected to reach, in requests per CPU second of our processes.
pub type Targets = fn(Route) -> Option<f64>;

/// One process, SQLite.
pub fn embedded(route: Route) -> Option<f64> {
    (route == Route::Create).then_some(1500.0)
}

/// One process per target.
pub fn fleet(route: Route) -> Option<f64> {
    match route {
        Route::HouseDetail => Some(10_000.0),
        Route::OrderDetail => Some(8_000.0),
        Route::OrderList => Some(4_000.0),
        Route::Create => Some(2_000.0),
        Route::Booking | Route::Unwatched => None,
    }
}

/// order-api, order-rpc and travel-rpc in one process.
pub fn joined(route: Route) -> Option<f64> {
    (route == Route::Create).then_some(3500.0)
}

/// All processes of the fleet, idle and after the load.
pub const MEMORY_MB: (f64, f64) = (130.0, 160.0);

/// A route's load and what it cost: during the load, and until nothing was left to do.
pub struct Row {
    pub route: Route,
    pub outcome: Outcome,
    pub load: Used,
    pub drained: Used,
}

pub fn heading(title: &str) -> String {
    format!(
        "\n{title}\n{:<16}{:>9}{:>9}{:>9}{:>12}{:>12}{:>12}{:>12}{:>10}  target\n",
        "route", "per s", "p50 ms", "p99 ms", "CPU s/1000", "…drained", "Postgres", "per CPU s", "failed"
    )
}

impl Row {
    pub fn line(&self, target: Option<f64>) -> String {
        let done = count(self.outcome.done);
        let per_thousand = |seconds: f64| {
            if done > 0.0 {
                seconds / done * 1000.0
            } else {
                f64::NAN
            }
        };
        let reached = if self.load.ours > 0.0 {
            done / self.load.ours
        } else {
            0.0
        };
        let verdict = target.map_or_else(String::new, |target| {
            let word = if reached >= target { "ok" } else { "missed" };
            format!("≥ {target:.0} {word}")
        });
        format!(
            "{:<16}{:>9.0}{:>9.2}{:>9.2}{:>12.3}{:>12.3}{:>12.3}{:>12.0}{:>10}  {verdict}\n",
            self.route.name(),
            self.outcome.rate(),
            self.outcome.quantile_ms(0.5),
            self.outcome.quantile_ms(0.99),
            per_thousand(self.load.ours),
            per_thousand(self.drained.ours),
            per_thousand(self.load.database),
            reached,
            self.outcome.failed()
        )
    }
}

/// Memory with its targets, where there are any.
pub fn memory(idle_mb: f64, loaded_mb: f64, targets: Option<(f64, f64)>) -> String {
    let verdict = |value: f64, target: Option<f64>| {
        target.map_or_else(String::new, |target| {
            let word = if value <= target { "ok" } else { "missed" };
            format!(" (≤ {target:.0} {word})")
        })
    };
    format!(
        "memory (PSS): {idle_mb:.0} MB idle{}, {loaded_mb:.0} MB after the load{}\n",
        verdict(idle_mb, targets.map(|t| t.0)),
        verdict(loaded_mb, targets.map(|t| t.1)),
    )
}
