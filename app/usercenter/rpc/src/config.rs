use std::time::Duration;

use homestay_config::Secret;
use homestay_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::account;

/// Accounts and sessions: section `auth` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Life of an access token of `/v1`, such as "15m".
    #[serde(with = "humantime_serde")]
    pub access_ttl: Duration,
    /// Life of an access token of the looklook face, which has no refresh route, such as "24h".
    #[serde(with = "humantime_serde")]
    pub looklook_ttl: Duration,
    /// Life of a refresh token, such as "30days". Each use gives a new one.
    #[serde(with = "humantime_serde")]
    pub refresh_ttl: Duration,
    /// Registrations a minute, per address and per mobile: of all replicas together with Redis, else of each. 0: no throttle.
    pub register_per_minute: u32,
    /// Logins a minute (by password or WeChat), per address and per mobile: of all replicas together with Redis, else of each. 0: no throttle.
    pub login_per_minute: u32,
    /// Mobile of the first admin. Empty: none is made.
    pub admin_mobile: String,
    /// Password of the first admin. A secret.
    pub admin_password: Secret,
    /// WeChat mini program.
    pub wechat: WechatConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_secs(15 * 60),
            looklook_ttl: Duration::from_secs(24 * 3600),
            refresh_ttl: Duration::from_secs(30 * 24 * 3600),
            register_per_minute: 10,
            login_per_minute: 5,
            admin_mobile: String::new(),
            admin_password: Secret::default(),
            wechat: WechatConfig::default(),
        }
    }
}

impl Config {
    /// Checks what the types do not, before anything starts.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the key.
    pub fn validate(&self) -> Result<()> {
        for (key, ttl) in [
            ("access_ttl", self.access_ttl),
            ("looklook_ttl", self.looklook_ttl),
            ("refresh_ttl", self.refresh_ttl),
        ] {
            // Ten years: longer is a mistake, and no arithmetic on it can overflow.
            if !(Duration::from_secs(1)..=Duration::from_secs(10 * 366 * 24 * 3600)).contains(&ttl) {
                return Err(Error::invalid(key, "must be between 1s and 10years"));
            }
        }
        if !self.admin_mobile.is_empty() {
            account::mobile(&self.admin_mobile).map_err(|_| {
                Error::invalid(
                    "admin_mobile",
                    "must be a mobile number: 11 digits, the first a 1",
                )
            })?;
            account::password(self.admin_password.expose())
                .map_err(|_| Error::invalid("admin_password", "must have 6 to 128 characters"))?;
        }
        if self.wechat.app_id.is_empty() != self.wechat.app_secret.is_empty() {
            return Err(Error::invalid(
                "wechat",
                "needs both app_id and app_secret, or neither",
            ));
        }
        Ok(())
    }
}

/// The WeChat mini program whose users sign in. Not configured: the sandbox in demo mode, else WeChat login is refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WechatConfig {
    /// AppID of the mini program. Empty: not configured.
    pub app_id: String,
    /// AppSecret of the mini program. A secret.
    pub app_secret: Secret,
    /// Where WeChat's API is.
    pub base_url: String,
    /// Longest wait for WeChat's answer, such as "1500ms". A call between domains has 2 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for WechatConfig {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            app_secret: Secret::default(),
            base_url: "https://api.weixin.qq.com".to_owned(),
            timeout: Duration::from_millis(1500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them_and_unknown_keys_are_refused() {
        let config: Config = serde_json::from_str(r#"{"access_ttl": "5m", "wechat": {"app_id": "wx1"}}"#)
            .expect("a configuration");
        assert_eq!(config.access_ttl, Duration::from_secs(300));
        assert_eq!(config.looklook_ttl, Duration::from_secs(24 * 3600));
        assert_eq!(config.wechat.base_url, "https://api.weixin.qq.com");
        assert!(serde_json::from_str::<Config>(r#"{"acess_ttl": "5m"}"#).is_err());
    }

    #[test]
    fn bad_values_are_refused_by_the_name_of_their_key() {
        type Change = fn(&mut Config);
        let cases: [(&str, Change); 5] = [
            ("access_ttl", |c| c.access_ttl = Duration::ZERO),
            ("refresh_ttl", |c| c.refresh_ttl = Duration::MAX),
            ("admin_mobile", |c| c.admin_mobile = "12".into()),
            ("admin_password", |c| c.admin_mobile = "13800000000".into()),
            ("wechat", |c| c.wechat.app_id = "wx1".into()),
        ];
        assert!(Config::default().validate().is_ok());
        for (key, change) in cases {
            let mut config = Config::default();
            change(&mut config);
            let error = config.validate().expect_err(key);
            assert_eq!(error.field_name(), Some(key));
        }
    }
}
