use std::time::Duration;

use futures::future::BoxFuture;
use homestay_config::Secret;
use homestay_error::{Code, Error, Result};
use serde::Deserialize;

use super::{Identity, WechatProvider, WxLogin, phone};
use crate::WechatConfig;

/// WeChat's server API
/// (<https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html>).
#[derive(Debug)]
pub struct WechatClient {
    http: reqwest::Client,
    base_url: String,
    app_id: String,
    app_secret: Secret,
    timeout: Duration,
}

/// The answer of `jscode2session`. Either an error code other than 0, or who it is. The session key stays in here.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
    #[serde(default)]
    openid: String,
    #[serde(default)]
    session_key: String,
}

impl WechatClient {
    /// A client of the mini program in `config`.
    #[must_use]
    pub fn new(http: reqwest::Client, config: &WechatConfig) -> Self {
        Self {
            http,
            base_url: config.base_url.trim_end_matches('/').to_owned(),
            app_id: config.app_id.clone(),
            app_secret: config.app_secret.clone(),
            timeout: config.timeout,
        }
    }

    async fn session(&self, code: &str) -> Result<Answer> {
        // The address carries the secret: no error may show it.
        let silent = |cause: reqwest::Error| Error::unavailable(cause.without_url());
        let body = self
            .http
            .get(format!("{}/sns/jscode2session", self.base_url))
            .query(&[
                ("appid", self.app_id.as_str()),
                ("secret", self.app_secret.expose()),
                ("js_code", code),
                ("grant_type", "authorization_code"),
            ])
            .timeout(self.timeout)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(silent)?
            .bytes()
            .await
            .map_err(silent)?;
        // WeChat sends its JSON as text/plain.
        serde_json::from_slice(&body).map_err(Error::unavailable)
    }
}

/// What an answer means: who it is, or why not.
fn judge(answer: &Answer) -> Result<()> {
    let said = || format!("wechat answered {}: {}", answer.errcode, answer.errmsg);
    match answer.errcode {
        0 if !answer.openid.is_empty() && answer.openid.len() <= 64 => Ok(()),
        0 => Err(Error::unavailable("wechat answered without an openid")),
        // System busy, and too many calls for this user.
        -1 | 45011 => Err(Error::unavailable(said())),
        // Wrong AppID or AppSecret: ours to mend.
        40013 | 40125 | 41002 | 41004 => Err(Error::internal(said())),
        // 40029 and 40163: the code is wrong or used; 40226: the user is blocked.
        _ => Err(Error::new(Code::WechatAuthFailed).source(said())),
    }
}

impl WechatProvider for WechatClient {
    fn identify(&self, login: WxLogin) -> BoxFuture<'_, Result<Identity>> {
        Box::pin(async move {
            let answer = self.session(&login.code).await?;
            judge(&answer)?;
            let WxLogin {
                iv, encrypted_data, ..
            } = login;
            let mobile = phone::mobile(&answer.session_key, &iv, &encrypted_data, &self.app_id);
            if mobile.is_none() && !encrypted_data.is_empty() {
                tracing::debug!("a phone number from wechat could not be read");
            }
            Ok(Identity {
                openid: answer.openid,
                mobile,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_who_can_mend_them() {
        let cases = [
            (r#"{"openid":"o1","session_key":"k"}"#, None),
            (
                r#"{"errcode":0,"errmsg":"ok","openid":"o1","session_key":"k"}"#,
                None,
            ),
            (
                r#"{"errcode":40029,"errmsg":"invalid code"}"#,
                Some(Code::WechatAuthFailed),
            ),
            (
                r#"{"errcode":40163,"errmsg":"code been used"}"#,
                Some(Code::WechatAuthFailed),
            ),
            (
                r#"{"errcode":40226,"errmsg":"blocked"}"#,
                Some(Code::WechatAuthFailed),
            ),
            (
                r#"{"errcode":-1,"errmsg":"system error"}"#,
                Some(Code::Unavailable),
            ),
            (r#"{"errcode":45011,"errmsg":"limit"}"#, Some(Code::Unavailable)),
            (
                r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#,
                Some(Code::Internal),
            ),
            ("{}", Some(Code::Unavailable)),
        ];
        for (text, want) in cases {
            let answer: Answer = serde_json::from_str(text).expect("an answer");
            assert_eq!(judge(&answer).err().map(|e| e.code()), want, "{text}");
        }
    }
}
