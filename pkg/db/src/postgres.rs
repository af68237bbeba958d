use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use homestay_error::Result;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions};

/// What a session is set to, unless the URL says otherwise.
///
/// No statement outlives the caller's deadline by much, none waits for a lock longer than the caller does, and none holds locks
/// while its process sleeps. Prepared statements are planned once, with no regard to their parameters: all of ours go by keys.
/// The keep-alive ends the session, and with it the locks, of a machine that vanished.
const SETTINGS: [(&str, &str); 8] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
];

/// How long a connection is used at most.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The domain of a URL by its role `homestay_<domain>`; else `other`.
fn domain(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let user = authority.split(['@', ':', '/']).next().unwrap_or_default();
    user.strip_prefix("homestay_")
        .filter(|domain| domain.bytes().all(|b| b.is_ascii_lowercase()))
        .unwrap_or("other")
}

/// The URL with our settings, as far as it does not name them itself.
fn with_settings(url: &str) -> String {
    let mut whole = url.to_owned();
    let mut sign = if url.contains('?') { '&' } else { '?' };
    let mut add = |key: &str, value: &str| {
        let _ = write!(whole, "{sign}{key}={value}");
        sign = '&';
    };
    for (name, value) in SETTINGS {
        if !url.contains(name) {
            add(&format!("options[{name}]"), value);
        }
    }
    if !url.contains("application_name=") {
        add("application_name", &format!("homestay-{}", domain(url)));
    }
    whole
}

pub(crate) fn options(url: &str) -> Result<AnyConnectOptions> {
    Ok(AnyConnectOptions::from_str(&with_settings(url))?.disable_statement_logging())
}

pub(crate) fn pool(options: AnyConnectOptions, most: u32) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(most)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(1))
        .max_lifetime(LIFETIME)
        .connect_lazy_with(options)
}
