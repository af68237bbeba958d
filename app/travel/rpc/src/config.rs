use std::time::Duration;

use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Holds: section `travel` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Age at which the order service is asked about a hold that no order has claimed, such as "60s". Longer than any
    /// booking takes: a hold whose order is still being written is only asked about in vain.
    #[serde(with = "humantime_serde")]
    pub ask_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ask_after: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Checks what the types do not, before anything starts.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the key.
    pub fn validate(&self) -> Result<()> {
        if (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&self.ask_after) {
            Ok(())
        } else {
            Err(Error::invalid("ask_after", "must be between 1s and 1h"))
        }
    }
}
