//! Counted on Redis. Keys hold digests, no numbers or addresses.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homestay_error::{Error, Result};
use homestay_service::Tasks;
use homestay_telemetry::metrics;
use prometheus::{IntCounterVec, IntGaugeVec};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Script};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

/// Longest wait for an answer; then this process counts alone.
const ANSWER: Duration = Duration::from_millis(50);
/// Longest wait for a connection, made beside the requests.
const CONNECT: Duration = Duration::from_secs(1);
/// Pause before Redis is asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

static SHARED: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "usercenter_throttle_shared",
        "Whether logins are counted for all replicas together (1) or in this process alone (0).",
        &["store"],
    )
});
static ANSWERS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    metrics::counter(
        "usercenter_throttle_checks_total",
        "Checks of the throttle by who counted: redis, process.",
        &["by"],
    )
});

/// The throttle of this process (a bucket that holds a minute's worth and fills evenly), for all replicas: of each key the
/// time at which its bucket is full again. Redis' clock is the only one that is read, and keys go with it.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local minute = 60000000
local share = minute / tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  local full = math.max(tonumber(redis.call('GET', key) or '0'), now) + share
  if full - now > minute then
    return math.ceil(full - now - minute)
  end
  redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
return 0
";

#[derive(Debug, Clone)]
pub(super) struct Counters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    prefix: String,
    take: Script,
    link: Mutex<Link>,
    /// What was said last about who counts.
    shared: AtomicBool,
}

#[derive(Debug)]
enum Link {
    Up(MultiplexedConnection),
    /// A task connects.
    Connecting,
    /// Not before then.
    Down(Instant),
}

impl Counters {
    pub(super) fn new(url: &str, prefix: &str) -> Result<Self> {
        // The cause may repeat the URL, and the URL may hold a password.
        let client =
            Client::open(url).map_err(|_| Error::invalid("redis.url", "must be like redis://host:6379"))?;
        let counters = Self(Arc::new(Inner {
            client,
            prefix: format!("{prefix}:throttle"),
            take: Script::new(TAKE),
            link: Mutex::new(Link::Connecting),
            shared: AtomicBool::new(true),
        }));
        counters.connect();
        Ok(counters)
    }

    /// Counts: how long to wait before the next try, zero if this one is allowed. `None` if Redis does not answer.
    pub(super) async fn take(
        &self,
        what: &str,
        per_minute: u32,
        network: &str,
        mobile: Option<&str>,
    ) -> Option<Duration> {
        let answer = self.ask(what, per_minute, network, mobile).await;
        let by = if answer.is_some() { "redis" } else { "process" };
        ANSWERS.with_label_values(&[by]).inc();
        answer
    }

    async fn ask(
        &self,
        what: &str,
        per_minute: u32,
        network: &str,
        mobile: Option<&str>,
    ) -> Option<Duration> {
        let mut connection = self.connection()?;
        let mut call = self.0.take.prepare_invoke();
        call.key(self.key(what, "address", network));
        if let Some(mobile) = mobile {
            call.key(self.key(what, "mobile", mobile));
        }
        call.arg(per_minute);
        match timeout(ANSWER, call.invoke_async::<u64>(&mut connection)).await {
            Ok(Ok(micros)) => Some(Duration::from_micros(micros)),
            Ok(Err(error)) => {
                self.lost(&error);
                None
            }
            Err(_) => {
                self.lost(&"no answer in time");
                None
            }
        }
    }

    fn key(&self, what: &str, kind: &str, name: &str) -> String {
        let digest = Sha256::digest(format!("{kind}:{name}"));
        let mut key = format!("{}:{what}:{kind}:", self.0.prefix);
        for byte in &digest[..16] {
            let _ = write!(key, "{byte:02x}");
        }
        key
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if it stands; one that is down is made anew beside the request, which does not wait for it.
    fn connection(&self) -> Option<MultiplexedConnection> {
        let mut link = self.link();
        match &*link {
            Link::Up(connection) => Some(connection.clone()),
            Link::Down(until) if *until <= Instant::now() => {
                *link = Link::Connecting;
                drop(link);
                self.connect();
                None
            }
            Link::Connecting | Link::Down(_) => None,
        }
    }

    fn connect(&self) {
        let counters = self.clone();
        Tasks::new().detach(async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(CONNECT));
            let made = counters
                .0
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await;
            match made {
                Ok(connection) => {
                    *counters.link() = Link::Up(connection);
                    SHARED.with_label_values(&["redis"]).set(1);
                    if !counters.0.shared.swap(true, Ordering::Relaxed) {
                        tracing::info!("logins are counted on Redis again");
                    }
                }
                Err(error) => counters.lost(&error),
            }
        });
    }

    fn lost(&self, why: &dyn std::fmt::Display) {
        *self.link() = Link::Down(Instant::now() + PAUSE);
        SHARED.with_label_values(&["redis"]).set(0);
        if self.0.shared.swap(false, Ordering::Relaxed) {
            tracing::warn!(%why, "Redis does not answer: this process counts logins alone");
        }
    }
}

#[cfg(test)]
mod tests {
    use homestay_clock::Clock;
    use homestay_error::Code;
    use homestay_testkit::{NOW_MS, Proxy};

    use super::*;
    use crate::{Config, Throttle};

    const MOBILE: &str = "13800000001";

    /// A replica whose own clock stands: only Redis' time passes.
    async fn throttle(url: &str, prefix: &str) -> Throttle {
        let config = Config {
            register_per_minute: 2,
            login_per_minute: 2,
            ..Config::default()
        };
        let throttle = Throttle::redis(url, prefix, &config, &Clock::manual(NOW_MS)).expect("a Redis URL");
        up(&throttle).await;
        throttle
    }

    fn counters(throttle: &Throttle) -> &Counters {
        throttle.shared.as_ref().expect("a shared throttle")
    }

    async fn up(throttle: &Throttle) {
        let connected = async {
            while counters(throttle).connection().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(15), connected)
            .await
            .expect("Redis in time");
    }

    fn redis() -> Option<(String, String)> {
        let url = homestay_config::test_server("HOMESTAY_TEST_REDIS_URL")?;
        let unique = Sha256::digest(format!("{:?}", std::time::Instant::now()));
        Some((
            url,
            format!(
                "test-{}-{:x}",
                std::process::id(),
                u32::from_be_bytes([unique[0], unique[1], unique[2], unique[3]])
            ),
        ))
    }

    async fn keys(url: &str, prefix: &str) -> Vec<String> {
        let client = Client::open(url).expect("a Redis URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
        let mut keys: Vec<String> = redis::cmd("KEYS")
            .arg(format!("{prefix}*"))
            .query_async(&mut connection)
            .await
            .expect("keys");
        for key in &keys {
            let ttl: i64 = redis::cmd("PTTL")
                .arg(key)
                .query_async(&mut connection)
                .await
                .expect("a ttl");
            assert!((1..=60_000).contains(&ttl), "{key} goes by itself: {ttl}");
        }
        keys.sort();
        keys
    }

    #[tokio::test]
    async fn replicas_count_together_and_name_nobody() {
        let Some((url, prefix)) = redis() else { return };
        let (one, other) = (throttle(&url, &prefix).await, throttle(&url, &prefix).await);
        assert!(one.login("10.0.0.1", Some(MOBILE)).await.is_ok());
        assert!(other.login("10.0.0.2", Some(MOBILE)).await.is_ok());
        for replica in [&one, &other] {
            let refused = replica
                .login("10.0.0.3", Some(MOBILE))
                .await
                .expect_err("the third");
            assert_eq!(refused.code(), Code::TooManyRequests);
            let wait = refused
                .detail()
                .and_then(|detail| detail["retryAfterSeconds"].as_u64());
            assert!(
                wait.is_some_and(|seconds| (29..=30).contains(&seconds)),
                "{wait:?}"
            );
        }
        // Its address has been used up meanwhile; another thing is counted apart.
        assert!(one.login("10.0.0.3", None).await.is_err());
        assert!(one.register("10.0.0.3", MOBILE).await.is_ok());
        for key in keys(&url, &prefix).await {
            assert!(!key.contains(MOBILE) && !key.contains("10.0.0"), "{key}");
        }
    }

    #[tokio::test]
    async fn who_is_stopped_by_address_uses_up_nobodys_mobile() {
        let Some((url, prefix)) = redis() else { return };
        let throttle = throttle(&url, &prefix).await;
        for mobile in ["1", "2"] {
            assert!(throttle.login("10.0.0.1", Some(mobile)).await.is_ok());
        }
        let before = keys(&url, &prefix).await;
        assert!(throttle.login("10.0.0.1", Some(MOBILE)).await.is_err());
        assert_eq!(keys(&url, &prefix).await, before);
    }

    #[tokio::test]
    async fn without_redis_each_counts_alone_at_once_and_together_again_when_it_is_back() {
        let Some((url, prefix)) = redis() else { return };
        let line = Proxy::to(&url).await;
        let replica = throttle(&line.url(&url), &prefix).await;
        for (harm, network) in [
            (Proxy::cut as fn(&Proxy), "10.0.0.1"),
            (Proxy::silence, "10.0.0.2"),
        ] {
            for _ in 0..2 {
                assert!(replica.login(network, None).await.is_ok());
            }
            harm(&line);
            let began = Instant::now();
            for _ in 0..2 {
                assert!(replica.login(network, None).await.is_ok(), "counted anew, here");
            }
            assert!(replica.login(network, None).await.is_err());
            assert!(
                began.elapsed() < Duration::from_millis(500),
                "{:?}",
                began.elapsed()
            );

            line.restore();
            up(&replica).await;
            assert!(
                replica.login(network, None).await.is_err(),
                "Redis has not forgotten"
            );
        }
    }

    #[tokio::test]
    async fn a_password_in_a_bad_url_is_not_repeated() {
        let refused = Counters::new("redis//:hunter2@host", "p").expect_err("no URL");
        assert!(!format!("{refused:?} {refused}").contains("hunter2"));
    }
}
