//! Every setting of the program. `defaults.yaml` is the manual and the only place of defaults.

mod servers;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use homestay_config::{ConfigError, Secret};
use homestay_telemetry::logs::Format;
use serde::{Deserialize, Serialize};

pub use servers::{Mode, check_callable, check_migratable, check_needs, shown};

const DEFAULTS: &str = include_str!("defaults.yaml");

/// All settings, by section. What each means stands in `defaults.yaml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub mode: Mode,
    pub demo: bool,
    pub sample_data: bool,
    pub data_dir: PathBuf,
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    pub worker_threads: usize,
    pub host: IpAddr,
    pub port_offset: u16,
    pub databases: servers::Databases,
    pub kafka: homestay_bus::KafkaConfig,
    pub redis: servers::Redis,
    pub endpoints: servers::Endpoints,
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
    let hours = Duration::from_secs(3600);
    match settings.payment.provider.as_str() {
        payment_rpc::wechat::NAME if settings.order.close_after > 2 * hours => {
            return refuse(
                "order.close_after",
                "must be at most 2h with WeChat Pay: its prepays live no longer",
            );
        }
        payment_rpc::stripe::NAME if settings.order.close_after > 23 * hours => {
            return refuse(
                "order.close_after",
                "must be at most 23h with Stripe: its sessions live a day",
            );
        }
        _ => {}
    }
    if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&settings.gateway.deadline) {
        return refuse("gateway.deadline", "must be between 100ms and 1m");
    }
    if !(Duration::from_secs(5)..=Duration::from_secs(600)).contains(&settings.grace) {
        return refuse("grace", "must be between 5s and 10m");
    }
    if let Some(wrong) = settings
        .gateway
        .cors_origins
        .iter()
        .find(|origin| !is_origin(origin))
    {
        return refuse(
            "gateway.cors_origins",
            &format!("must be origins such as https://shop.example, not {wrong:?}"),
        );
    }
    if !is_filter(&settings.log.level) {
        return refuse(
            "log.level",
            "must be off, error, warn, info, debug or trace, or pairs such as order_rpc=debug, with commas between",
        );
    }
    if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&settings.mqueue.lease) {
        return refuse("mqueue.lease", "must be between 1s and 1h");
    }
    // A tick is known by its job as long as that is kept: longer than any period.
    if !(Duration::from_secs(300)..=Duration::from_secs(30 * 24 * 3600)).contains(&settings.mqueue.retention)
    {
        return refuse("mqueue.retention", "must be between 5m and 30days");
    }
    if !(1..=1000).contains(&settings.mqueue.max_attempts) {
        return refuse("mqueue.max_attempts", "must be between 1 and 1000");
    }
    servers::check(settings)?;
    of("auth", settings.auth.validate())?;
    of("travel", settings.travel.validate())?;
    of("payment", settings.payment.validate())?;
    of(
        "notify",
        mqueue_mq::notifiers(&settings.notify, homestay_clock::Clock::system()).map(drop),
    )?;
    if !settings.demo {
        of("payment", settings.payment.validate_real())?;
        if settings.sample_data {
            return refuse("sample_data", "needs demo: true (HOMESTAY__DEMO)");
        }
    }
    Ok(())
}

/// Scheme, host and port, as browsers send it (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
    })
}

/// A misspelt level would be read as the name of a target, and switch everything off.
fn is_filter(text: &str) -> bool {
    text.split(',').all(|part| {
        let level = part.split_once('=').map_or(part, |(_, level)| level).trim();
        ["off", "error", "warn", "info", "debug", "trace"].contains(&level.to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn defaults() -> Settings {
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
            "kafka",
            yaml(&manual.kafka),
            yaml(&homestay_bus::KafkaConfig::default()),
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
    fn bad_values_are_refused_by_the_name_of_their_key() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 10] = [
            ("order.close_after", |s| s.order.close_after = Duration::ZERO),
            ("order.close_after", |s| {
                s.payment.provider = "wechat".to_owned();
                s.order.close_after = Duration::from_secs(3 * 3600);
            }),
            ("order.close_after", |s| {
                s.payment.provider = "stripe".to_owned();
                s.order.close_after = Duration::from_secs(24 * 3600);
            }),
            ("gateway.deadline", |s| s.gateway.deadline = Duration::MAX),
            ("gateway.cors_origins", |s| {
                s.gateway.cors_origins = vec!["*".to_owned()];
            }),
            ("gateway.cors_origins", |s| {
                s.gateway.cors_origins = vec!["https://a.example/".to_owned()];
            }),
            ("log.level", |s| s.log.level = "inof".to_owned()),
            ("mqueue.lease", |s| s.mqueue.lease = Duration::ZERO),
            ("mqueue.max_attempts", |s| s.mqueue.max_attempts = 0),
            ("grace", |s| s.grace = Duration::ZERO),
        ];
        for (key, change) in cases {
            let mut settings = defaults();
            change(&mut settings);
            assert_eq!(check(&settings).unwrap_err().key(), key);
        }
        let mut good = defaults();
        good.gateway.cors_origins = vec![
            "https://shop.example".to_owned(),
            "http://localhost:3000".to_owned(),
        ];
        good.log.level = "warn,order_rpc=debug".to_owned();
        assert!(check(&good).is_ok());
    }

    #[test]
    fn what_is_only_for_demos_is_refused_elsewhere() {
        type Change = fn(&mut payment_rpc::Config);
        let mut settings = defaults();
        assert!(check(&settings).is_ok());
        settings.demo = false;
        assert_eq!(check(&settings).unwrap_err().key(), "payment.provider");
        settings.payment.provider = "stripe".to_owned();
        settings.sample_data = false;
        check(&settings).unwrap();
        let cases: [(&str, Change); 4] = [
            ("payment.stripe.secret_key", |payment| {
                payment.stripe.secret_key = homestay_config::Secret::new("sk_test_hidden");
            }),
            ("payment.stripe.secret_key", |payment| {
                payment.provider = "wechat".to_owned();
                payment.stripe.secret_key = homestay_config::Secret::new("rk_test_hidden");
            }),
            ("payment.stripe.base_url", |payment| {
                payment.stripe.base_url = "http://api.stripe.com".to_owned();
            }),
            ("payment.wechat.base_url", |payment| {
                payment.wechat.base_url = "http://api.mch.weixin.qq.com".to_owned();
            }),
        ];
        for (key, change) in cases {
            let mut wrong = settings.clone();
            change(&mut wrong.payment);
            let error = check(&wrong).unwrap_err();
            assert_eq!(error.key(), key);
            assert!(!error.to_string().contains("hidden"), "{error}");
            wrong.demo = true;
            check(&wrong).unwrap();
        }
        settings.payment.stripe.secret_key = homestay_config::Secret::new("rk_live_hidden");
        check(&settings).unwrap();
    }
}
