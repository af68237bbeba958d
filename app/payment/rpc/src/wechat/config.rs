use std::time::Duration;

use homestay_config::Secret;
use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::keys::{MerchantKey, PlatformKeys, ResourceKey};

/// Settings of WeChat Pay (API v3), under `payment.wechat`. Given whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatPayConfig {
    /// AppID of the mini program or account in which guests pay; the one under which they sign in.
    pub app_id: String,
    /// The merchant's number.
    pub mch_id: String,
    /// Serial number of the merchant's API certificate.
    pub merchant_serial: String,
    /// The merchant's private key (`apiclient_key.pem`), PKCS#8 as PEM. A secret.
    pub private_key: Secret,
    /// The merchant's APIv3 key, 32 characters. A secret.
    pub api_v3_key: Secret,
    /// WeChat's certificates or public keys as PEM, one after the other; above a public key a line with its `PUB_KEY_ID_…`.
    pub platform_keys: String,
    /// Where WeChat sends its notifications. Empty: `/v1/payments/callbacks/wechat` under `public_base_url`.
    pub notify_url: String,
    /// Where WeChat Pay's API is, without a path.
    pub base_url: String,
    /// Longest wait for an answer of WeChat, such as "1500ms".
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for WechatPayConfig {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            mch_id: String::new(),
            merchant_serial: String::new(),
            private_key: Secret::default(),
            api_v3_key: Secret::default(),
            platform_keys: String::new(),
            notify_url: String::new(),
            base_url: "https://api.mch.weixin.qq.com".to_owned(),
            timeout: Duration::from_millis(1500),
        }
    }
}

/// What the texts of a configuration stand for.
pub(crate) struct Material {
    pub merchant: MerchantKey,
    pub resource: ResourceKey,
    pub platform: PlatformKeys,
}

impl WechatPayConfig {
    /// Whether anything of it is given, so that all of it must be.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !(self.app_id.is_empty()
            && self.mch_id.is_empty()
            && self.merchant_serial.is_empty()
            && self.private_key.is_empty()
            && self.api_v3_key.is_empty()
            && self.platform_keys.is_empty())
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] naming the key within `payment.wechat`.
    pub fn validate(&self) -> Result<()> {
        for (key, text) in [
            ("app_id", &self.app_id),
            ("mch_id", &self.mch_id),
            ("merchant_serial", &self.merchant_serial),
        ] {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !plain {
                return Err(Error::invalid(key, "must be set: letters and digits"));
            }
        }
        crate::config::address("base_url", &self.base_url)?;
        let path = self.base_url.split_once("://").map_or("", |(_, rest)| rest);
        if path.trim_end_matches('/').contains('/') {
            return Err(Error::invalid(
                "base_url",
                "must have no path: the signature covers it",
            ));
        }
        if !self.notify_url.is_empty() {
            crate::config::address("notify_url", &self.notify_url)?;
        }
        if self.timeout.is_zero() {
            return Err(Error::invalid("timeout", "must be more than 0"));
        }
        self.material().map(drop)
    }

    pub(crate) fn material(&self) -> Result<Material> {
        Ok(Material {
            merchant: MerchantKey::from_pem(self.private_key.expose())
                .ok_or_else(|| Error::invalid("private_key", "must be an RSA key in PKCS#8 as PEM"))?,
            resource: ResourceKey::new(self.api_v3_key.expose())
                .ok_or_else(|| Error::invalid("api_v3_key", "must have 32 characters"))?,
            platform: PlatformKeys::from_pem(&self.platform_keys)
                .map_err(|what| Error::invalid("platform_keys", what))?,
        })
    }
}
