//! Counted in this process.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use homestay_clock::Clock;
use homestay_error::Result;

use super::refused;

/// After so many checks, keys that are as good as new are forgotten: the tables hold what one minute brings, no more.
const SWEEP_EVERY: u32 = 1024;

/// How often one address, and one mobile, may do one thing.
#[derive(Debug)]
pub(super) struct Pair {
    address: Limiter,
    mobile: Limiter,
    checks: AtomicU32,
}

type Limiter = RateLimiter<String, DashMapStateStore<String>, GovernorClock, NoOpMiddleware<Duration>>;

impl Pair {
    pub(super) fn new(per_minute: u32, clock: &Clock) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let limiter = || RateLimiter::new(quota, DashMapStateStore::default(), GovernorClock(clock.clone()));
        Some(Self {
            address: limiter(),
            mobile: limiter(),
            checks: AtomicU32::new(0),
        })
    }

    pub(super) fn check(&self, network: &str, mobile: Option<&str>) -> Result<()> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.address.retain_recent();
            self.mobile.retain_recent();
        }
        // The address first: who is stopped there cannot fill the other table, or lock others out of their numbers.
        take(&self.address, network)?;
        mobile.map_or(Ok(()), |mobile| take(&self.mobile, mobile))
    }
}

fn take(limiter: &Limiter, key: &str) -> Result<()> {
    use governor::clock::Clock as _;
    limiter
        .check_key(&key.to_owned())
        .map_err(|until| refused(until.wait_time_from(limiter.clock().now())))
}

/// Our clock as governor wants it, so that tests can move it.
#[derive(Debug, Clone)]
struct GovernorClock(Clock);

impl governor::clock::Clock for GovernorClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now_ms()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homestay_testkit::NOW_MS;

    #[test]
    fn keys_that_are_as_good_as_new_are_forgotten() {
        let clock = Clock::manual(NOW_MS);
        let login = Pair::new(3, &clock).expect("a throttle");
        for n in 0..SWEEP_EVERY - 1 {
            let _ = login.check(&format!("host{n}"), Some(&n.to_string()));
        }
        assert_eq!(login.address.len(), 1023);
        clock.advance(Duration::from_secs(120));
        let _ = login.check("host", Some("1"));
        assert_eq!((login.address.len(), login.mobile.len()), (1, 1));
    }
}
