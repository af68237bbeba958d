use std::time::Duration;

use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of payment-rpc, under `payment`. Secrets of providers are not among them: they are given by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who new payments go to: "sandbox".
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
        }
    }
}

impl Config {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment`.
    pub fn validate(&self) -> Result<()> {
        if self.provider != crate::sandbox::NAME {
            return Err(Error::invalid("provider", "must be \"sandbox\""));
        }
        let urls = [
            (
                "public_base_url",
                Some(&self.public_base_url).filter(|url| !url.is_empty()),
            ),
            ("callback_base_url", self.callback_base_url.as_ref()),
        ];
        for (key, url) in urls {
            let Some(url) = url else { continue };
            let host = url
                .strip_prefix("https://")
                .or_else(|| url.strip_prefix("http://"));
            if host.is_none_or(str::is_empty) {
                return Err(Error::invalid(
                    key,
                    "must begin with http:// or https:// and name a host",
                ));
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
