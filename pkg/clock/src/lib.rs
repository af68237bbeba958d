//! The one source of time, and the ids and numbers made from it.
//!
//! Rules and SQL never ask what time it is: they take an argument that came from a [`Clock`]. Tests move theirs.

mod ids;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

pub use ids::{Ids, secret_code, secret_token};

/// Tells the time and waits for it. Cheap to clone; clones share the time.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System,
    Manual(Arc<watch::Sender<i64>>),
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

    /// Now, in unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that reads the machine's clock"
            )]
            Kind::System => Timestamp::now().as_millisecond(),
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
            Kind::System => loop {
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
