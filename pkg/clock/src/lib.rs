//! The one source of time, and the ids and numbers made from it.
//!
//! Rules and SQL never ask what time it is: they take an argument that came from a [`Clock`]. Tests move theirs.

mod ids;
mod steer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

pub use ids::{Ids, secret_code, secret_token};

/// Of a millisecond.
const NANOS: i64 = 1_000_000;

/// Tells the time and waits for it. Cheap to clone; clones share the time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System,
    Steered(Arc<Steered>),
    Manual(Arc<watch::Sender<i64>>),
}

#[derive(Debug)]
struct Steered {
    start: Instant,
    rule: Mutex<steer::Steering>,
}

impl Steered {
    fn with<T>(&self, act: impl FnOnce(&mut steer::Steering, i64) -> T) -> T {
        // What is guarded is whole between any two statements.
        let mut rule = self.rule.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut rule, nanos(self.start.elapsed()))
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands at `start_ms` (unix milliseconds) until it is moved.
    #[must_use]
    pub fn manual(start_ms: i64) -> Self {
        Self(Kind::Manual(Arc::new(watch::Sender::new(start_ms))))
    }

    /// A clock that begins as this one, never goes back, and follows another that it is told of ([`Clock::steer`]). A manual
    /// clock stays as it is.
    #[must_use]
    pub fn steered(&self) -> Self {
        match &self.0 {
            Kind::System => Self(Kind::Steered(Arc::new(Steered {
                start: Instant::now(),
                rule: Mutex::new(steer::Steering::new(self.now_ms().saturating_mul(NANOS))),
            }))),
            Kind::Steered(_) | Kind::Manual(_) => self.clone(),
        }
    }

    /// The clock to be followed showed `told_ms` some time within the `round_trip` that ends now. Changes only a clock made by
    /// [`Clock::steered`].
    pub fn steer(&self, told_ms: i64, round_trip: Duration) {
        if let Kind::Steered(steered) = &self.0 {
            steered.with(|rule, at| rule.told(at, told_ms.saturating_mul(NANOS), nanos(round_trip)));
        }
    }

    /// Now, in unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that reads the machine's clock"
            )]
            Kind::System => Timestamp::now().as_millisecond(),
            Kind::Steered(steered) => steered.with(steer::Steering::show).div_euclid(NANOS),
            Kind::Manual(now) => *now.borrow(),
        }
    }

    /// Now, as an instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Moves a manual clock forward and wakes who waits for the time it now shows.
    ///
    /// # Panics
    /// On the machine's clock, which nobody may move.
    pub fn advance(&self, by: Duration) {
        let Kind::Manual(now) = &self.0 else {
            panic!("only a manual clock can be moved")
        };
        now.send_modify(|ms| *ms += i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// Waits until the clock shows `at_ms` (unix milliseconds) or later.
    pub async fn sleep_until(&self, at_ms: i64) {
        match &self.0 {
            Kind::System | Kind::Steered(_) => loop {
                let left = at_ms - self.now_ms();
                match u64::try_from(left) {
                    // tokio may wake up to a millisecond early, and the machine's clock may be set: ask again.
                    Ok(ms) if ms > 0 => tokio::time::sleep(Duration::from_millis(ms.min(1000))).await,
                    _ => return,
                }
            },
            Kind::Manual(now) => {
                let mut seen = now.subscribe();
                // The sender lives in `self`, so the wait cannot fail.
                let _ = seen.wait_for(|ms| *ms >= at_ms).await;
            }
        }
    }

    /// Waits for `duration` by this clock.
    pub async fn sleep(&self, duration: Duration) {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.sleep_until(self.now_ms().saturating_add(ms)).await;
    }
}
