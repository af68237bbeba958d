//! The settings of the distributed mode, and what a process needs of them for the targets it runs.

use homestay_config::{ConfigError, Secret};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::targets::{Domain, Kind, Targets};

/// How the targets find each other and keep their data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One process, a folder with SQLite files.
    Embedded,
    /// Any number of processes on Postgres, Kafka and Redis.
    Distributed,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Databases {
    pub order: Secret,
    pub payment: Secret,
    pub travel: Secret,
    pub usercenter: Secret,
    pub mqueue: Secret,
    pub pool: u32,
}

impl Databases {
    pub fn of(&self, domain: Domain) -> &Secret {
        match domain {
            Domain::Order => &self.order,
            Domain::Payment => &self.payment,
            Domain::Travel => &self.travel,
            Domain::Usercenter => &self.usercenter,
            Domain::Mqueue => &self.mqueue,
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    pub url: Secret,
    pub prefix: String,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    pub order: Vec<String>,
    pub payment: Vec<String>,
    pub travel: Vec<String>,
    pub usercenter: Vec<String>,
    pub mqueue: Vec<String>,
}

impl Endpoints {
    pub fn of(&self, domain: Domain) -> &[String] {
        match domain {
            Domain::Order => &self.order,
            Domain::Payment => &self.payment,
            Domain::Travel => &self.travel,
            Domain::Usercenter => &self.usercenter,
            Domain::Mqueue => &self.mqueue,
        }
    }
}

/// Largest `port_offset`: the last admin port is still one.
const LARGEST_OFFSET: u16 = u16::MAX - 14_014;

/// What is set must be well formed, whoever needs it.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    if settings.port_offset > LARGEST_OFFSET {
        let what = format!("must be at most {LARGEST_OFFSET}");
        return Err(ConfigError::bad("port_offset", &what));
    }
    if !(2..=100).contains(&settings.databases.pool) {
        return Err(ConfigError::bad("databases.pool", "must be between 2 and 100"));
    }
    for domain in Domain::ALL {
        let url = settings.databases.of(domain);
        if !url.is_empty() {
            check_url(
                &key("databases", domain),
                url.expose(),
                &["postgres", "postgresql"],
                "postgres://user:password@host:port/database",
            )?;
        }
        for endpoint in settings.endpoints.of(domain) {
            check_url(
                &key("endpoints", domain),
                endpoint,
                &["http"],
                "http://host:port, with commas between",
            )?;
        }
    }
    if !settings.redis.url.is_empty() {
        check_url(
            "redis.url",
            settings.redis.url.expose(),
            &["redis", "rediss"],
            "redis://host:port",
        )?;
    }
    if !settings.kafka.brokers.is_empty() {
        settings.kafka.validate().map_err(|error| {
            let key = format!("kafka.{}", error.field_name().unwrap_or("brokers"));
            ConfigError::bad(&key, error.message())
        })?;
    }
    if settings.redis.prefix.is_empty() {
        return Err(ConfigError::bad("redis.prefix", "must not be empty"));
    }
    Ok(())
}

/// What a process of the distributed mode needs for the targets it runs.
///
/// # Errors
/// Names the setting that is missing, and the target that needs it.
pub fn check_needs(settings: &Settings, targets: &Targets) -> Result<(), ConfigError> {
    if targets.iter().any(|target| target.name == "payment-rpc") {
        settings.payment.validate_providers().map_err(|error| {
            let key = format!("payment.{}", error.field_name().unwrap_or("provider"));
            ConfigError::bad(&key, error.message())
        })?;
    }
    if settings.mode == Mode::Embedded {
        return Ok(());
    }
    let first = targets.first().name;
    let secrets = &settings.secrets;
    require(
        "secrets.internal_credential",
        first,
        !secrets.internal_credential.is_empty(),
    )?;
    for target in targets.iter() {
        let (name, domain) = (target.name, target.domain);
        if matches!(target.kind, Kind::Api(_)) || name == "usercenter-rpc" {
            require("secrets.jwt_keys", name, !secrets.jwt_keys.is_empty())?;
        }
        if matches!(target.kind, Kind::Rpc(_)) {
            let url = settings.databases.of(domain);
            require(&key("databases", domain), name, !url.is_empty())?;
        }
        require(
            "kafka.brokers",
            name,
            !target.uses_kafka() || !settings.kafka.brokers.is_empty(),
        )?;
        require(
            "redis.url",
            name,
            !target.uses_redis() || !settings.redis.url.is_empty(),
        )?;
        if name == "payment-rpc" {
            let sandbox = settings.payment.provider == payment_rpc::sandbox::NAME;
            require("secrets.sandbox", name, !sandbox || !secrets.sandbox.is_empty())?;
            require(
                "payment.public_base_url",
                name,
                !settings.payment.public_base_url.is_empty(),
            )?;
        }
    }
    for (domain, caller) in targets.remote() {
        check_callable(settings, &[domain], caller.name)?;
    }
    Ok(())
}

/// What a program needs to call domains that run elsewhere.
///
/// # Errors
/// Names the setting that is missing, and who needs it.
pub fn check_callable(settings: &Settings, domains: &[Domain], caller: &str) -> Result<(), ConfigError> {
    let credential = &settings.secrets.internal_credential;
    require("secrets.internal_credential", caller, !credential.is_empty())?;
    for domain in domains {
        let endpoints = settings.endpoints.of(*domain);
        require(&key("endpoints", *domain), caller, !endpoints.is_empty())?;
    }
    Ok(())
}

/// What `homestay migrate` needs for these domains.
///
/// # Errors
/// Names the setting that is missing.
pub fn check_migratable(settings: &Settings, domains: &[Domain]) -> Result<(), ConfigError> {
    if settings.mode == Mode::Embedded {
        let what = "must be distributed (HOMESTAY__MODE): embedded, every start brings the files up to date";
        return Err(ConfigError::bad("mode", what));
    }
    for domain in domains {
        let url = settings.databases.of(*domain);
        require(&key("databases", *domain), "homestay migrate", !url.is_empty())?;
    }
    Ok(())
}

fn require(key: &str, who: &str, set: bool) -> Result<(), ConfigError> {
    if set {
        return Ok(());
    }
    let variable = key.to_uppercase().replace('.', "__");
    let what = format!("is not set (HOMESTAY__{variable}); {who} needs it");
    Err(ConfigError::bad(key, &what))
}

fn key(section: &str, domain: Domain) -> String {
    format!("{section}.{}", domain.name())
}

/// Names the setting, never the value: it may hold a password.
fn check_url(key: &str, text: &str, schemes: &[&str], form: &str) -> Result<(), ConfigError> {
    let good = Url::parse(text).is_ok_and(|url| {
        schemes.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty())
    });
    if good {
        return Ok(());
    }
    Err(ConfigError::bad(key, &format!("must be of the form {form}")))
}

/// An address to name in a log: without password and parameters.
pub fn shown(url: &Secret) -> String {
    let Ok(mut url) = Url::parse(url.expose()) else {
        return "(no address)".to_owned();
    };
    // Only an address without a host has no place for a password.
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Settings);

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    /// Everything that all fourteen need.
    fn complete() -> Settings {
        let mut settings = super::super::tests::defaults();
        settings.mode = Mode::Distributed;
        for (domain, url) in [
            ("order", &mut settings.databases.order),
            ("payment", &mut settings.databases.payment),
            ("travel", &mut settings.databases.travel),
            ("usercenter", &mut settings.databases.usercenter),
            ("mqueue", &mut settings.databases.mqueue),
        ] {
            *url = Secret::new(format!(
                "postgres://homestay_{domain}:hidden@127.0.0.1:5432/homestay"
            ));
        }
        settings.kafka.brokers = "127.0.0.1:9092".to_owned();
        settings.redis.url = Secret::new("redis://127.0.0.1:6379");
        settings.payment.public_base_url = "https://homestay.example".to_owned();
        settings.secrets.internal_credential = Secret::new(SECRET);
        settings.secrets.jwt_keys = Secret::new(format!("1:{SECRET}"));
        settings.secrets.sandbox = Secret::new(SECRET);
        settings
    }

    fn targets(names: &[&str]) -> Targets {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Targets::named(&names, Mode::Distributed).unwrap()
    }

    #[test]
    fn what_a_target_needs_is_asked_for_by_the_name_of_its_key() {
        let cases: [(&[&str], &str, Change); 9] = [
            (&["travel-mq"], "secrets.internal_credential", |s| {
                s.secrets.internal_credential = Secret::default();
            }),
            (&["order-api"], "secrets.jwt_keys", |s| {
                s.secrets.jwt_keys = Secret::default();
            }),
            (&["usercenter-rpc"], "secrets.jwt_keys", |s| {
                s.secrets.jwt_keys = Secret::default();
            }),
            (&["payment-rpc"], "secrets.sandbox", |s| {
                s.secrets.sandbox = Secret::default();
            }),
            (&["travel-rpc"], "databases.travel", |s| {
                s.databases.travel = Secret::default();
            }),
            (&["order-mq"], "kafka.brokers", |s| s.kafka.brokers.clear()),
            (&["payment-rpc"], "kafka.brokers", |s| s.kafka.brokers.clear()),
            (&["mqueue-rpc"], "redis.url", |s| s.redis.url = Secret::default()),
            (&["payment-rpc"], "payment.public_base_url", |s| {
                s.payment.public_base_url.clear();
            }),
        ];
        for (names, key, change) in cases {
            let mut settings = complete();
            for list in [
                &mut settings.endpoints.order,
                &mut settings.endpoints.payment,
                &mut settings.endpoints.travel,
                &mut settings.endpoints.usercenter,
                &mut settings.endpoints.mqueue,
            ] {
                list.push("http://127.0.0.1:12001".to_owned());
            }
            check_needs(&settings, &targets(names)).unwrap();
            change(&mut settings);
            let error = check_needs(&settings, &targets(names)).unwrap_err();
            assert_eq!(error.key(), key, "{names:?}");
            assert!(error.to_string().contains(names[0]), "{error}");
        }
    }

    #[test]
    fn endpoints_are_needed_of_who_is_called_and_does_not_run_here() {
        let settings = complete();
        check_needs(&settings, &Targets::all()).unwrap();
        let error = check_needs(&settings, &targets(&["order-rpc", "travel-rpc"])).unwrap_err();
        assert_eq!(error.key(), "endpoints.payment");
        check_needs(&settings, &targets(&["usercenter-rpc"])).unwrap();
    }

    #[test]
    fn a_payment_provider_is_given_whole_where_payments_are_made() {
        let cases: [(&str, Change); 6] = [
            ("payment.wechat.app_id", |s| {
                s.payment.provider = "wechat".to_owned();
            }),
            ("payment.wechat.mch_id", |s| {
                s.payment.wechat.app_id = "wx1".to_owned();
            }),
            ("payment.stripe.secret_key", |s| {
                s.payment.provider = "stripe".to_owned();
            }),
            ("payment.stripe.webhook_secrets", |s| {
                s.payment.stripe.secret_key = Secret::new("sk_test_hidden");
            }),
            ("payment.stripe.secret_key", |s| {
                s.payment.stripe.secret_key = Secret::new("hidden");
            }),
            ("payment.public_base_url", |s| {
                s.payment.provider = "stripe".to_owned();
                s.payment.stripe.secret_key = Secret::new("sk_test_hidden");
                s.payment.stripe.webhook_secrets = Secret::new("whsec_hidden");
                s.payment.public_base_url.clear();
            }),
        ];
        for mode in [Mode::Embedded, Mode::Distributed] {
            for (key, change) in cases {
                let mut settings = complete();
                settings.mode = mode;
                check_needs(&settings, &Targets::all()).unwrap();
                change(&mut settings);
                let error = check_needs(&settings, &Targets::all()).unwrap_err();
                assert_eq!(error.key(), key);
                assert!(!error.to_string().contains("hidden"), "{error}");
            }
        }
        let mut settings = complete();
        settings.demo = false;
        settings.sample_data = false;
        settings.payment.provider = "wechat".to_owned();
        settings
            .endpoints
            .payment
            .push("http://payment-rpc:12002".to_owned());
        // Its secrets are where the providers are made, and nowhere else.
        super::super::check(&settings).unwrap();
        check_needs(&settings, &targets(&["payment-mq", "mqueue-rpc"])).unwrap();
    }

    #[test]
    fn what_a_target_does_not_use_may_be_missing() {
        let mut settings = complete();
        settings.kafka.brokers.clear();
        settings.redis.url = Secret::default();
        settings.secrets.jwt_keys = Secret::default();
        settings.secrets.sandbox = Secret::default();
        settings.payment.public_base_url.clear();
        settings.endpoints.order.push("http://order-rpc:12001".to_owned());
        check_needs(&settings, &targets(&["travel-rpc"])).unwrap();
    }

    #[test]
    fn addresses_that_are_none_are_refused_without_showing_them() {
        let cases: [(&str, Change); 5] = [
            ("databases.order", |s| {
                s.databases.order = Secret::new("mysql://u:hidden@h/db");
            }),
            ("databases.pool", |s| s.databases.pool = 1),
            ("endpoints.travel", |s| {
                s.endpoints.travel.push("hidden:12003".to_owned());
            }),
            ("redis.url", |s| s.redis.url = Secret::new("hidden")),
            ("port_offset", |s| s.port_offset = 60_000),
        ];
        for (key, change) in cases {
            let mut settings = complete();
            change(&mut settings);
            let error = check(&settings).unwrap_err();
            assert_eq!(error.key(), key);
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
        check(&complete()).unwrap();
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let url = Secret::new("postgres://homestay_order:hidden@db.example:5432/homestay?sslmode=require");
        assert_eq!(shown(&url), "postgres://homestay_order@db.example:5432/homestay");
    }
}
