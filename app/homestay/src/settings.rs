//! Every setting of the program. `defaults.yaml` is the manual and the only place of defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use homestay_config::{ConfigError, Secret};
use homestay_telemetry::logs::Format;
use serde::{Deserialize, Serialize};

const DEFAULTS: &str = include_str!("defaults.yaml");

/// All settings, by section. What each means stands in `defaults.yaml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub demo: bool,
    pub sample_data: bool,
    pub data_dir: PathBuf,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    pub worker_threads: usize,
    pub log: Log,
    pub gateway: Gateway,
    pub admin: Admin,
    pub secrets: Secrets,
    pub auth: usercenter_rpc::Config,
    pub travel: travel_rpc::Config,
    pub order: order_rpc::Config,
    pub payment: payment_rpc::Config,
    pub mqueue: mqueue_rpc::Config,
    pub notify: mqueue_mq::Config,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: Format,
    pub level: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    pub listen: SocketAddr,
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
    pub compat_status: bool,
    pub trust_forwarded: bool,
    pub cors_origins: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub internal_credential: Secret,
    pub jwt_keys: Secret,
    pub sandbox: Secret,
}

/// Reads defaults, file and environment, and checks what no type can.
///
/// # Errors
/// Names the setting that is unknown, malformed or out of bounds.
pub fn load(file: Option<&std::path::Path>) -> Result<Settings, ConfigError> {
    let settings: Settings = homestay_config::load(DEFAULTS, file, homestay_config::environment())?;
    check(&settings)?;
    Ok(settings)
}

fn check(settings: &Settings) -> Result<(), ConfigError> {
    let refuse = |key: &str, what: &str| Err(ConfigError::bad(key, what));
    let of = |section: &str, outcome: homestay_error::Result<()>| {
        outcome.map_err(|error| {
            let key = error
                .field_name()
                .map_or_else(|| section.to_owned(), |field| format!("{section}.{field}"));
            ConfigError::bad(&key, error.message())
        })
    };
    if settings.order.close_after < Duration::from_secs(1) {
        return refuse("order.close_after", "must be at least 1s");
    }
    if settings.order.close_after > Duration::from_secs(30 * 24 * 3600) {
        return refuse("order.close_after", "must be at most 30days");
    }
    if settings.gateway.deadline < Duration::from_millis(100) {
        return refuse("gateway.deadline", "must be at least 100ms");
    }
    of("auth", settings.auth.validate())?;
    of("travel", settings.travel.validate())?;
    of("payment", settings.payment.validate())?;
    of(
        "notify",
        mqueue_mq::notifiers(&settings.notify, homestay_clock::Clock::system()).map(drop),
    )?;
    if !settings.demo {
        if settings.payment.provider == payment_rpc::sandbox::NAME {
            return refuse("payment.provider", "sandbox needs demo: true (HOMESTAY__DEMO)");
        }
        if settings.sample_data {
            return refuse("sample_data", "needs demo: true (HOMESTAY__DEMO)");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Settings {
        homestay_config::load(DEFAULTS, None, std::iter::empty()).unwrap()
    }

    #[test]
    fn the_manual_says_what_the_crates_do_without_it() {
        let manual = defaults();
        let same =
            |section: &str, manual: String, code: String| assert_eq!(manual, code, "section {section}");
        same(
            "auth",
            yaml(&manual.auth),
            yaml(&usercenter_rpc::Config::default()),
        );
        same(
            "travel",
            yaml(&manual.travel),
            yaml(&travel_rpc::Config::default()),
        );
        same("order", yaml(&manual.order), yaml(&order_rpc::Config::default()));
        same(
            "payment",
            yaml(&manual.payment),
            yaml(&payment_rpc::Config::default()),
        );
        same(
            "mqueue",
            yaml(&manual.mqueue),
            yaml(&mqueue_rpc::Config::default()),
        );
        same(
            "notify",
            yaml(&manual.notify),
            yaml(&mqueue_mq::Config::default()),
        );
    }

    fn yaml<T: Serialize>(section: &T) -> String {
        homestay_config::redacted_yaml(section)
    }

    #[test]
    fn what_is_only_for_demos_is_refused_elsewhere() {
        let mut settings = defaults();
        assert!(check(&settings).is_ok());
        settings.demo = false;
        assert_eq!(check(&settings).unwrap_err().key(), "payment.provider");
        settings.demo = true;
        settings.order.close_after = Duration::ZERO;
        assert_eq!(check(&settings).unwrap_err().key(), "order.close_after");
    }
}
