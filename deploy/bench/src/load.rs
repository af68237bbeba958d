//! Closed loop: each connection asks again as soon as it is answered.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::routes::Route;
use crate::world::World;

/// What one load has done.
pub struct Outcome {
    pub done: u64,
    pub elapsed: Duration,
    /// Microseconds.
    latency: Histogram<u64>,
    /// Failures by what was said of them.
    pub failures: BTreeMap<String, u64>,
}

impl Outcome {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        count(self.done) / self.elapsed.as_secs_f64()
    }

    /// Milliseconds below which this share of the answers came.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        count(self.latency.value_at_quantile(share)) / 1000.0
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// A count as a number to divide by: exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of this program are far below 2^53"
)]
pub fn count(n: u64) -> f64 {
    n as f64
}

/// When a load ends.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    pub time: Duration,
    pub requests: u64,
}

impl Bound {
    pub fn time(time: Duration) -> Self {
        Self {
            time,
            requests: u64::MAX,
        }
    }

    /// So many requests, but no longer than two minutes.
    pub fn requests(requests: u64) -> Self {
        Self {
            time: Duration::from_secs(120),
            requests,
        }
    }
}

struct Tally {
    latency: Histogram<u64>,
    failures: BTreeMap<String, u64>,
}

fn histogram() -> Histogram<u64> {
    // Up to a minute, three digits.
    Histogram::new_with_max(60_000_000, 3).expect("bounds in order")
}

/// Runs `route` on so many connections until the bound. Must be called within a `LocalSet`.
pub async fn run(world: &Rc<World>, route: Route, connections: usize, bound: Bound) -> Outcome {
    let begin = Instant::now();
    let begun = Rc::new(std::cell::Cell::new(0_u64));
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (world, begun) = (world.clone(), begun.clone());
        workers.spawn_local(async move {
            let mut tally = Tally {
                latency: histogram(),
                failures: BTreeMap::new(),
            };
            let mut client = Client::default();
            while begin.elapsed() < bound.time && begun.get() < bound.requests {
                begun.set(begun.get() + 1);
                let start = Instant::now();
                match route.once(&world, &mut client).await {
                    Ok(()) => {
                        let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                        tally.latency.saturating_record(took);
                    }
                    Err(sentence) => {
                        *tally.failures.entry(sentence).or_default() += 1;
                        // What fails at once must not be all that is done.
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            }
            tally
        });
    }
    let mut latency = histogram();
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(tally) = workers.join_next().await {
        let tally = tally.expect("a worker of the load does not panic");
        latency.add(&tally.latency).expect("same bounds");
        for (sentence, n) in tally.failures {
            *failures.entry(sentence).or_default() += n;
        }
    }
    Outcome {
        done: latency.len(),
        elapsed: begin.elapsed(),
        latency,
        failures,
    }
}
