use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use homestay_clock::Clock;
use homestay_error::{Code, Error, Result};
use serde_json::json;

use crate::Config;

/// After so many checks, keys that are as good as new are forgotten: the tables hold what one minute brings, no more.
const SWEEP_EVERY: u32 = 1024;

/// How often one address, and one mobile, may register and log in; counted in this process.
#[derive(Debug)]
pub(crate) struct Throttle {
    register: Option<Pair>,
    login: Option<Pair>,
}

impl Throttle {
    pub(crate) fn new(config: &Config, clock: &Clock) -> Self {
        Self {
            register: Pair::new(config.register_per_minute, clock),
            login: Pair::new(config.login_per_minute, clock),
        }
    }

    /// Counts a registration.
    pub(crate) fn register(&self, address: &str, mobile: &str) -> Result<()> {
        self.register
            .as_ref()
            .map_or(Ok(()), |pair| pair.check(address, Some(mobile)))
    }

    /// Counts a login; one through WeChat has no mobile yet.
    pub(crate) fn login(&self, address: &str, mobile: Option<&str>) -> Result<()> {
        self.login
            .as_ref()
            .map_or(Ok(()), |pair| pair.check(address, mobile))
    }
}

#[derive(Debug)]
struct Pair {
    address: Limiter,
    mobile: Limiter,
    checks: AtomicU32,
}

type Limiter = RateLimiter<String, DashMapStateStore<String>, GovernorClock, NoOpMiddleware<Duration>>;

impl Pair {
    fn new(per_minute: u32, clock: &Clock) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
        let limiter = || RateLimiter::new(quota, DashMapStateStore::default(), GovernorClock(clock.clone()));
        Some(Self {
            address: limiter(),
            mobile: limiter(),
            checks: AtomicU32::new(0),
        })
    }

    fn check(&self, address: &str, mobile: Option<&str>) -> Result<()> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.address.retain_recent();
            self.mobile.retain_recent();
        }
        // The address first: who is stopped there cannot fill the other table, or lock others out of their numbers.
        take(&self.address, &network(address))?;
        mobile.map_or(Ok(()), |mobile| take(&self.mobile, mobile))
    }
}

fn take(limiter: &Limiter, key: &str) -> Result<()> {
    use governor::clock::Clock as _;
    limiter.check_key(&key.to_owned()).map_err(|until| {
        let wait = until.wait_time_from(limiter.clock().now());
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Error::new(Code::TooManyRequests).details(json!({"retryAfterSeconds": seconds.max(1)}))
    })
}

/// The part of an address that one caller cannot change at will: all of an IPv4 address, the first 64 bits of an IPv6 one.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => address.chars().take(64).collect(),
    }
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

    fn throttle(clock: &Clock) -> Throttle {
        let config = Config {
            register_per_minute: 2,
            login_per_minute: 3,
            ..Config::default()
        };
        Throttle::new(&config, clock)
    }

    #[test]
    fn a_burst_passes_then_one_every_share_of_the_minute() {
        let clock = Clock::manual(NOW_MS);
        let throttle = throttle(&clock);
        for _ in 0..3 {
            assert!(throttle.login("10.0.0.1", None).is_ok());
        }
        let refused = throttle.login("10.0.0.1", None).expect_err("the fourth");
        assert_eq!(refused.code(), Code::TooManyRequests);
        assert_eq!(refused.detail(), Some(&json!({"retryAfterSeconds": 20})));

        clock.advance(Duration::from_secs(19));
        assert!(throttle.login("10.0.0.1", None).is_err());
        clock.advance(Duration::from_secs(1));
        assert!(throttle.login("10.0.0.1", None).is_ok());
        assert!(throttle.login("10.0.0.1", None).is_err());
    }

    #[test]
    fn addresses_and_mobiles_are_counted_apart_and_so_are_register_and_login() {
        let throttle = throttle(&Clock::manual(NOW_MS));
        assert!(throttle.register("10.0.0.1", "1").is_ok());
        assert!(throttle.register("10.0.0.2", "1").is_ok());
        assert!(
            throttle.register("10.0.0.3", "1").is_err(),
            "the mobile is used up"
        );
        assert!(throttle.register("10.0.0.1", "2").is_ok());
        assert!(
            throttle.register("10.0.0.1", "3").is_err(),
            "the address is used up"
        );
        assert!(throttle.login("10.0.0.1", Some("1")).is_ok());
    }

    #[test]
    fn zero_is_no_throttle() {
        let config = Config {
            register_per_minute: 0,
            login_per_minute: 0,
            ..Config::default()
        };
        let throttle = Throttle::new(&config, &Clock::manual(NOW_MS));
        for _ in 0..1000 {
            assert!(throttle.register("a", "1").is_ok());
            assert!(throttle.login("a", Some("1")).is_ok());
        }
    }

    #[test]
    fn keys_that_are_as_good_as_new_are_forgotten() {
        let clock = Clock::manual(NOW_MS);
        let throttle = throttle(&clock);
        let login = throttle.login.as_ref().expect("a throttle");
        for n in 0..SWEEP_EVERY - 1 {
            let _ = throttle.login(&format!("host{n}"), Some(&n.to_string()));
        }
        assert_eq!(login.address.len(), 1023);
        clock.advance(Duration::from_secs(120));
        let _ = throttle.login("host", Some("1"));
        assert_eq!((login.address.len(), login.mobile.len()), (1, 1));
    }

    #[test]
    fn one_ipv6_network_is_one_caller() {
        let cases = [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
            ("", ""),
            ("unknown", "unknown"),
        ];
        for (address, want) in cases {
            assert_eq!(network(address), want);
        }
    }
}
