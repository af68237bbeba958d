use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use homestay_error::{Code, Error, Result};
use sha2::{Digest, Sha256};

use super::phone::{self, PhoneData};
use super::{Identity, WechatProvider, WxLogin};

/// Plays WeChat in a demo: it believes everything, so it never runs outside one.
///
/// - The code `sandbox-<name>` (1 to 32 of letters, digits, `-`, `_`) belongs to the user with the openid
///   `sandbox-openid-<name>`, any number of times.
/// - `encryptedData` is either the base64 of plain JSON such as `{"phoneNumber":"13800000000"}`, with any `iv`, or data
///   encrypted as WeChat does with [`SandboxWechat::session_key`] and a watermark for the mini program
///   [`SandboxWechat::APP_ID`]. Anything else is a user who gave no phone number.
#[derive(Debug, Clone, Copy)]
pub struct SandboxWechat;

impl SandboxWechat {
    /// The mini program that encrypted data is made for.
    pub const APP_ID: &str = "wx-sandbox";

    /// The session key (base64) of the user `name`.
    #[must_use]
    pub fn session_key(name: &str) -> String {
        let digest = Sha256::digest(format!("homestay sandbox session of {name}"));
        BASE64_STANDARD.encode(&digest[..16])
    }
}

fn plain_mobile(data: &str) -> Option<String> {
    let plain = BASE64_STANDARD.decode(data).ok()?;
    serde_json::from_slice::<PhoneData>(&plain).ok()?.mobile()
}

impl WechatProvider for SandboxWechat {
    fn identify(&self, login: WxLogin) -> BoxFuture<'_, Result<Identity>> {
        Box::pin(async move {
            let name = login
                .code
                .strip_prefix("sandbox-")
                .filter(|name| (1..=32).contains(&name.len()))
                .filter(|name| {
                    name.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                })
                .ok_or_else(|| Error::new(Code::WechatAuthFailed))?;
            let WxLogin {
                iv, encrypted_data, ..
            } = &login;
            let mobile = plain_mobile(encrypted_data)
                .or_else(|| phone::mobile(&Self::session_key(name), iv, encrypted_data, Self::APP_ID));
            Ok(Identity {
                openid: format!("sandbox-openid-{name}"),
                mobile,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat::phone::tests::encrypt;

    async fn identify(code: &str, iv: &str, encrypted_data: &str) -> Result<Identity> {
        SandboxWechat
            .identify(WxLogin {
                code: code.into(),
                iv: iv.into(),
                encrypted_data: encrypted_data.into(),
            })
            .await
    }

    #[tokio::test]
    async fn a_sandbox_code_names_its_user_and_others_are_refused() {
        let ann = identify("sandbox-ann", "", "").await.expect("a user");
        assert_eq!(
            ann,
            Identity {
                openid: "sandbox-openid-ann".into(),
                mobile: None
            }
        );
        for bad in [
            "",
            "ann",
            "sandbox-",
            "sandbox-a b",
            "sandbox-安",
            &format!("sandbox-{}", "x".repeat(33)),
        ] {
            let refused = identify(bad, "", "").await.expect_err(bad);
            assert_eq!(refused.code(), Code::WechatAuthFailed, "{bad}");
        }
    }

    #[tokio::test]
    async fn phone_numbers_come_plain_or_encrypted() {
        let plain = BASE64_STANDARD.encode(r#"{"phoneNumber":"13800001234"}"#);
        let (iv, sealed) = encrypt(
            &SandboxWechat::session_key("ann"),
            &serde_json::json!({"purePhoneNumber": "13800001234", "watermark": {"appid": SandboxWechat::APP_ID}}),
        );
        let cases = [
            ("sandbox-ann", "", plain.as_str(), Some("13800001234")),
            ("sandbox-ann", iv.as_str(), sealed.as_str(), Some("13800001234")),
            ("sandbox-bob", iv.as_str(), sealed.as_str(), None),
            ("sandbox-ann", "", "rubbish", None),
        ];
        for (code, iv, data, want) in cases {
            let user = identify(code, iv, data).await.expect("a user");
            assert_eq!(user.mobile.as_deref(), want, "{code} {data}");
        }
    }
}
