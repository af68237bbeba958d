//! Who is behind a WeChat mini program's login code: WeChat's own answer, or a sandbox's.

mod client;
mod phone;
mod sandbox;

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use homestay_error::{Code, Error, Result};

use crate::WechatConfig;

pub use client::WechatClient;
pub use sandbox::SandboxWechat;

/// What a mini program sends after `wx.login` and `getPhoneNumber`.
#[derive(Debug, Clone, Default)]
pub struct WxLogin {
    /// Login code, good once, for minutes.
    pub code: String,
    /// Initial vector of `encrypted_data`, base64. Empty: no phone number.
    pub iv: String,
    /// Encrypted phone number, base64. Empty: no phone number.
    pub encrypted_data: String,
}

/// Who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's id within the mini program; at most 64 characters.
    pub openid: String,
    /// Mobile number, if the user gave one that can be read and is a Chinese mobile.
    pub mobile: Option<String>,
}

/// The world outside: whoever can say who a login code belongs to.
pub trait WechatProvider: fmt::Debug + Send + Sync {
    /// Exchanges the code and reads the phone number. A phone number that is missing or cannot be read is no error.
    ///
    /// Refuses with [`Code::WechatAuthFailed`], or [`Code::Unavailable`] when WeChat does not answer.
    fn identify(&self, login: WxLogin) -> BoxFuture<'_, Result<Identity>>;
}

/// The provider that the configuration asks for: WeChat if it is configured, else the sandbox if this is a demo, else none.
#[must_use]
pub fn provider(config: &WechatConfig, demo: bool, http: reqwest::Client) -> Arc<dyn WechatProvider> {
    if !config.app_id.is_empty() {
        Arc::new(WechatClient::new(http, config))
    } else if demo {
        Arc::new(SandboxWechat)
    } else {
        Arc::new(NoWechat)
    }
}

/// Refuses everyone: WeChat is not configured, and a sandbox would let anyone in.
#[derive(Debug, Clone, Copy)]
pub struct NoWechat;

impl WechatProvider for NoWechat {
    fn identify(&self, _: WxLogin) -> BoxFuture<'_, Result<Identity>> {
        Box::pin(async {
            Err(Error::with(
                Code::WechatAuthFailed,
                "wechat login is not configured",
            ))
        })
    }
}
