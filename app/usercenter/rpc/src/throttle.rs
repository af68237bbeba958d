//! How often one address, and one mobile, may register and log in: counted on Redis for all replicas together, or in this
//! process alone while there is no Redis.

mod local;
mod shared;

use std::net::IpAddr;
use std::time::Duration;

use homestay_clock::Clock;
use homestay_error::{Code, Error, Result};
use serde_json::json;

use crate::Config;
use local::Pair;
use shared::Counters;

/// How often one address, and one mobile, may register and log in.
#[derive(Debug)]
pub struct Throttle {
    register: Limit,
    login: Limit,
    shared: Option<Counters>,
}

#[derive(Debug)]
struct Limit {
    what: &'static str,
    per_minute: u32,
    local: Option<Pair>,
}

impl Throttle {
    /// Counts in this process.
    #[must_use]
    pub fn local(config: &Config, clock: &Clock) -> Self {
        let limit = |what, per_minute| Limit {
            what,
            per_minute,
            local: Pair::new(per_minute, clock),
        };
        Self {
            register: limit("register", config.register_per_minute),
            login: limit("login", config.login_per_minute),
            shared: None,
        }
    }

    /// Counts on Redis, for all replicas together, under keys that begin with `prefix`; in this process as long as Redis
    /// does not answer.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] if `url` is no Redis URL.
    pub fn redis(url: &str, prefix: &str, config: &Config, clock: &Clock) -> Result<Self> {
        Ok(Self {
            shared: Some(Counters::new(url, prefix)?),
            ..Self::local(config, clock)
        })
    }

    /// Counts a registration.
    pub(crate) async fn register(&self, address: &str, mobile: &str) -> Result<()> {
        self.check(&self.register, address, Some(mobile)).await
    }

    /// Counts a login; one through WeChat has no mobile yet.
    pub(crate) async fn login(&self, address: &str, mobile: Option<&str>) -> Result<()> {
        self.check(&self.login, address, mobile).await
    }

    /// The address first: who is stopped there cannot fill the other table, or lock others out of their numbers.
    async fn check(&self, limit: &Limit, address: &str, mobile: Option<&str>) -> Result<()> {
        let Some(local) = &limit.local else {
            return Ok(());
        };
        let network = network(address);
        if let Some(counters) = &self.shared
            && let Some(wait) = counters
                .take(limit.what, limit.per_minute, &network, mobile)
                .await
        {
            return if wait.is_zero() {
                Ok(())
            } else {
                Err(refused(wait))
            };
        }
        local.check(&network, mobile)
    }
}

/// Refused, and when to come back.
fn refused(wait: Duration) -> Error {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Error::new(Code::TooManyRequests).details(json!({"retryAfterSeconds": seconds.max(1)}))
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
        Throttle::local(&config, clock)
    }

    #[tokio::test]
    async fn a_burst_passes_then_one_every_share_of_the_minute() {
        let clock = Clock::manual(NOW_MS);
        let throttle = throttle(&clock);
        for _ in 0..3 {
            assert!(throttle.login("10.0.0.1", None).await.is_ok());
        }
        let refused = throttle.login("10.0.0.1", None).await.expect_err("the fourth");
        assert_eq!(refused.code(), Code::TooManyRequests);
        assert_eq!(refused.detail(), Some(&json!({"retryAfterSeconds": 20})));

        clock.advance(Duration::from_secs(19));
        assert!(throttle.login("10.0.0.1", None).await.is_err());
        clock.advance(Duration::from_secs(1));
        assert!(throttle.login("10.0.0.1", None).await.is_ok());
        assert!(throttle.login("10.0.0.1", None).await.is_err());
    }

    #[tokio::test]
    async fn addresses_and_mobiles_are_counted_apart_and_so_are_register_and_login() {
        let throttle = throttle(&Clock::manual(NOW_MS));
        assert!(throttle.register("10.0.0.1", "1").await.is_ok());
        assert!(throttle.register("10.0.0.2", "1").await.is_ok());
        assert!(
            throttle.register("10.0.0.3", "1").await.is_err(),
            "the mobile is used up"
        );
        assert!(throttle.register("10.0.0.1", "2").await.is_ok());
        assert!(
            throttle.register("10.0.0.1", "3").await.is_err(),
            "the address is used up"
        );
        assert!(throttle.login("10.0.0.1", Some("1")).await.is_ok());
    }

    #[tokio::test]
    async fn zero_is_no_throttle() {
        let config = Config {
            register_per_minute: 0,
            login_per_minute: 0,
            ..Config::default()
        };
        let throttle = Throttle::local(&config, &Clock::manual(NOW_MS));
        for _ in 0..1000 {
            assert!(throttle.register("a", "1").await.is_ok());
            assert!(throttle.login("a", Some("1")).await.is_ok());
        }
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
