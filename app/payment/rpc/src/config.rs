use std::time::Duration;

use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::stripe::StripeConfig;
use crate::wechat::WechatPayConfig;

/// Settings of payment-rpc, under `payment`. Secrets of providers are not among them: they are given by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who new payments go to: "sandbox", "wechat" or "stripe". Another one whose section is filled goes on with the payments
    /// that it has.
    pub provider: String,
    /// Address under which guests reach the system, such as `https://homestay.example`; pay links begin with it.
    /// Empty: where this process listens, which the wiring fills in.
    pub public_base_url: String,
    /// Address under which the sandbox reaches the system with its callbacks. Absent: `public_base_url`.
    pub callback_base_url: Option<String>,
    /// What a provider keeps of each capture, in basis points (hundredths of a per cent), for the ledger.
    pub fee_bp: i64,
    /// What we keep of money that goes to a host, in basis points.
    pub commission_bp: i64,
    /// How long the sandbox waits for the answer to a callback, such as "1500ms".
    #[serde(with = "humantime_serde")]
    pub callback_timeout: Duration,
    /// WeChat Pay.
    pub wechat: WechatPayConfig,
    /// Stripe.
    pub stripe: StripeConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            provider: "sandbox".to_owned(),
            public_base_url: String::new(),
            callback_base_url: None,
            fee_bp: 0,
            commission_bp: 0,
            callback_timeout: Duration::from_millis(1500),
            wechat: WechatPayConfig::default(),
            stripe: StripeConfig::default(),
        }
    }
}

impl Config {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment`.
    pub fn validate(&self) -> Result<()> {
        let known = [crate::sandbox::NAME, crate::wechat::NAME, crate::stripe::NAME];
        if !known.contains(&self.provider.as_str()) {
            return Err(Error::invalid("provider", "must be sandbox, wechat or stripe"));
        }
        let urls = [
            (
                "public_base_url",
                Some(&self.public_base_url).filter(|url| !url.is_empty()),
            ),
            ("callback_base_url", self.callback_base_url.as_ref()),
        ];
        for (key, url) in urls {
            if let Some(url) = url {
                address(key, url)?;
            }
        }
        for (key, bp) in [("fee_bp", self.fee_bp), ("commission_bp", self.commission_bp)] {
            if !(0..=10_000).contains(&bp) {
                return Err(Error::invalid(key, "must be from 0 to 10000"));
            }
        }
        if self.callback_timeout.is_zero() {
            return Err(Error::invalid("callback_timeout", "must be more than 0"));
        }
        Ok(())
    }

    /// Checks that the provider of new payments, and any other that is begun, is given whole. For whoever makes the
    /// providers: a process that does not may lack their secrets.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment`.
    pub fn validate_providers(&self) -> Result<()> {
        if self.has_wechat() {
            within("wechat", self.wechat.validate())?;
        }
        if self.has_stripe() {
            within("stripe", self.stripe.validate())?;
        }
        if self.provider != crate::sandbox::NAME && self.public_base_url.is_empty() {
            return Err(Error::invalid(
                "public_base_url",
                "must be set: payers come back to it, and providers call it",
            ));
        }
        Ok(())
    }

    /// Checks what holds outside of a demonstration, where real money is moved.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment`.
    pub fn validate_real(&self) -> Result<()> {
        if self.provider == crate::sandbox::NAME {
            return Err(Error::invalid(
                "provider",
                "sandbox needs demo: true (HOMESTAY__DEMO)",
            ));
        }
        within("wechat", encrypted("base_url", &self.wechat.base_url))?;
        within("stripe", self.stripe.validate_real())
    }

    /// Whether WeChat Pay is configured.
    #[must_use]
    pub fn has_wechat(&self) -> bool {
        self.provider == crate::wechat::NAME || self.wechat.is_given()
    }

    /// Whether Stripe is configured.
    #[must_use]
    pub fn has_stripe(&self) -> bool {
        self.provider == crate::stripe::NAME || self.stripe.is_given()
    }
}

/// Checks an address that a setting gives.
pub(crate) fn address(key: &'static str, url: &str) -> Result<()> {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    if host.is_none_or(str::is_empty) {
        return Err(Error::invalid(
            key,
            "must begin with http:// or https:// and name a host",
        ));
    }
    Ok(())
}

/// Checks the address of a provider of real money.
pub(crate) fn encrypted(key: &'static str, url: &str) -> Result<()> {
    if !url.starts_with("https://") {
        return Err(Error::invalid(
            key,
            "must begin with https:// except with demo: true (HOMESTAY__DEMO)",
        ));
    }
    Ok(())
}

/// The key with its section before it.
fn within(section: &str, outcome: Result<()>) -> Result<()> {
    outcome.map_err(|error| {
        let key = error.field_name().unwrap_or_default();
        Error::with(error.code(), error.message().to_owned()).field(format!("{section}.{key}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(Config::default().validate().is_ok());
        let table = [
            (r#"{"provider":"paypal"}"#, "provider"),
            (r#"{"public_base_url":"homestay.example"}"#, "public_base_url"),
            (r#"{"public_base_url":"http://"}"#, "public_base_url"),
            (r#"{"callback_base_url":""}"#, "callback_base_url"),
            (r#"{"callback_timeout":"0s"}"#, "callback_timeout"),
            (r#"{"fee_bp":-1}"#, "fee_bp"),
            (r#"{"commission_bp":10001}"#, "commission_bp"),
        ];
        for (text, key) in table {
            let config: Config = serde_json::from_str(text).unwrap();
            assert_eq!(config.validate().unwrap_err().field_name(), Some(key), "{text}");
        }
        assert!(serde_json::from_str::<Config>(r#"{"secret":"x"}"#).is_err());
    }
}
