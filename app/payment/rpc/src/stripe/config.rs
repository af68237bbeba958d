use std::time::Duration;

use homestay_config::Secret;
use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of Stripe, under `payment.stripe`. Given whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StripeConfig {
    /// The account's secret or restricted key (`sk_…`, `rk_…`). A secret.
    pub secret_key: Secret,
    /// Signing secrets of the webhook endpoint (`whsec_…`), with commas between: two while one is replaced. Secrets.
    pub webhook_secrets: Secret,
    /// Where the payer comes after paying. Empty: `public_base_url`.
    pub success_url: String,
    /// Where the payer comes who turns back. Empty: `public_base_url`.
    pub cancel_url: String,
    /// Where Stripe's API is.
    pub base_url: String,
    /// Longest wait for an answer of Stripe, such as "1500ms".
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for StripeConfig {
    fn default() -> Self {
        Self {
            secret_key: Secret::default(),
            webhook_secrets: Secret::default(),
            success_url: String::new(),
            cancel_url: String::new(),
            base_url: "https://api.stripe.com".to_owned(),
            timeout: Duration::from_millis(1500),
        }
    }
}

impl StripeConfig {
    /// Whether anything of it is given, so that all of it must be.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !(self.secret_key.is_empty() && self.webhook_secrets.is_empty())
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment.stripe`.
    pub fn validate(&self) -> Result<()> {
        let key = self.secret_key.expose();
        if !(key.starts_with("sk_") || key.starts_with("rk_")) || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid(
                "secret_key",
                "must be set and begin with sk_ or rk_",
            ));
        }
        if self.secrets().is_empty() || self.secrets().iter().any(|secret| !secret.starts_with("whsec_")) {
            return Err(Error::invalid(
                "webhook_secrets",
                "must be set, and each begin with whsec_",
            ));
        }
        crate::config::address("base_url", &self.base_url)?;
        for (key, url) in [
            ("success_url", &self.success_url),
            ("cancel_url", &self.cancel_url),
        ] {
            if !url.is_empty() {
                crate::config::address(key, url)?;
            }
        }
        if self.timeout.is_zero() {
            return Err(Error::invalid("timeout", "must be more than 0"));
        }
        Ok(())
    }

    /// Checks what holds where real money is moved: no key of Stripe's test mode, no talk that anybody can read.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment.stripe`.
    pub fn validate_real(&self) -> Result<()> {
        if !self.secret_key.is_empty() && !self.is_live() {
            return Err(Error::invalid(
                "secret_key",
                "is of Stripe's test mode, in which no money moves: only with demo: true (HOMESTAY__DEMO)",
            ));
        }
        crate::config::encrypted("base_url", &self.base_url)
    }

    /// Whether the key moves real money.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let key = self.secret_key.expose();
        !(key.starts_with("sk_test_") || key.starts_with("rk_test_"))
    }

    /// Each signing secret.
    pub(super) fn secrets(&self) -> Vec<String> {
        let texts = self.webhook_secrets.expose().split(',').map(str::trim);
        texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }
}
