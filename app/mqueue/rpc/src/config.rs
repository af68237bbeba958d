use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of mqueue-rpc.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a worker may be silent before its jobs go to another, such as "8s".
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// How long done jobs, and with them their unique keys, are kept, such as "1h".
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// Tries before a job becomes a dead letter, where the job itself does not say.
    pub max_attempts: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(8),
            retention: Duration::from_secs(60 * 60),
            max_attempts: 20,
        }
    }
}

impl Config {
    pub(crate) fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn retention_ms(&self) -> i64 {
        i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX)
    }
}
