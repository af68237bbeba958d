//! WeChat's encrypted user data: AES-128-CBC with PKCS#7 under the session key, JSON with a watermark inside
//! (<https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/signature.html>).

use aes::Aes128;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use serde::Deserialize;

use crate::account;

/// What `getPhoneNumber` encrypts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneData {
    /// With the country code if it is a foreign one.
    #[serde(default)]
    phone_number: String,
    #[serde(default)]
    pure_phone_number: String,
    #[serde(default)]
    country_code: CountryCode,
    #[serde(default)]
    watermark: Watermark,
}

#[derive(Debug, Default, Deserialize)]
struct Watermark {
    #[serde(default)]
    appid: String,
}

/// WeChat's documents show it as a text, some clients have seen a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CountryCode {
    Text(String),
    Number(i64),
}

impl Default for CountryCode {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl PhoneData {
    /// Whether the data was made for the mini program `app_id`.
    pub(super) fn is_for(&self, app_id: &str) -> bool {
        self.watermark.appid == app_id
    }

    /// The mobile, if it is a Chinese one.
    pub(super) fn mobile(self) -> Option<String> {
        let chinese = match &self.country_code {
            CountryCode::Text(code) => matches!(code.as_str(), "" | "86" | "+86"),
            CountryCode::Number(code) => *code == 86,
        };
        [self.pure_phone_number, self.phone_number]
            .into_iter()
            .find(|number| chinese && account::mobile(number).is_ok())
    }
}

/// Decrypts the data; `None` if key, iv, padding or base64 are wrong.
pub(super) fn decrypt(session_key: &str, iv: &str, data: &str) -> Option<Vec<u8>> {
    let [key, iv, data] = [session_key, iv, data].map(|text| BASE64_STANDARD.decode(text).ok());
    cbc::Decryptor::<Aes128>::new_from_slices(&key?, &iv?)
        .ok()?
        .decrypt_padded_vec::<Pkcs7>(&data?)
        .ok()
}

/// The mobile in encrypted data that was made for the mini program `app_id`.
pub(super) fn mobile(session_key: &str, iv: &str, data: &str, app_id: &str) -> Option<String> {
    let phone: PhoneData = serde_json::from_slice(&decrypt(session_key, iv, data)?).ok()?;
    phone.is_for(app_id).then(|| phone.mobile())?
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use cbc::cipher::BlockModeEncrypt;

    /// Encrypts as WeChat does: (iv, data).
    pub(crate) fn encrypt(session_key: &str, plain: &serde_json::Value) -> (String, String) {
        let key = BASE64_STANDARD.decode(session_key).expect("base64");
        let iv = [7_u8; 16];
        let data = cbc::Encryptor::<Aes128>::new_from_slices(&key, &iv)
            .expect("16 bytes each")
            .encrypt_padded_vec::<Pkcs7>(plain.to_string().as_bytes());
        (BASE64_STANDARD.encode(iv), BASE64_STANDARD.encode(data))
    }

    const KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";

    #[test]
    fn the_sample_of_wechats_documents_is_read() {
        // The published sample of user data; the phone number travels in the same envelope.
        let data = concat!(
            "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRg",
            "v+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7U",
            "L/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3",
            "g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFd",
            "lqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==",
        );
        let plain = decrypt(KEY, "r7BXXKkLb8qrSNn05n0qiA==", data).expect("decrypts");
        let plain: serde_json::Value = serde_json::from_slice(&plain).expect("JSON");
        assert_eq!(plain["openId"], "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
        assert_eq!(plain["watermark"]["appid"], "wx4f4bc4dec97d474b");
    }

    #[test]
    fn a_chinese_mobile_of_our_mini_program_is_read_and_nothing_else_is() {
        let ours = serde_json::json!({"appid": "wx1", "timestamp": 1_795_219_200});
        let cases = [
            (
                serde_json::json!({"phoneNumber": "13800001234", "purePhoneNumber": "13800001234",
                                   "countryCode": "86", "watermark": ours}),
                Some("13800001234"),
            ),
            (
                serde_json::json!({"phoneNumber": "+8613800001234", "purePhoneNumber": "13800001234",
                                   "countryCode": 86, "watermark": ours}),
                Some("13800001234"),
            ),
            (
                serde_json::json!({"phoneNumber": "13800001234", "watermark": ours}),
                Some("13800001234"),
            ),
            (
                serde_json::json!({"phoneNumber": "+112025550123", "purePhoneNumber": "12025550123",
                                   "countryCode": "1", "watermark": ours}),
                None,
            ),
            (
                serde_json::json!({"phoneNumber": "13800001234", "watermark": {"appid": "wx2"}}),
                None,
            ),
            (serde_json::json!({"phoneNumber": "13800001234"}), None),
            (serde_json::json!({"phoneNumber": "123", "watermark": ours}), None),
            (serde_json::json!({"watermark": ours}), None),
            (serde_json::json!([1, 2]), None),
        ];
        for (plain, want) in cases {
            let (iv, data) = encrypt(KEY, &plain);
            assert_eq!(mobile(KEY, &iv, &data, "wx1").as_deref(), want, "{plain}");
        }
    }

    #[test]
    fn broken_data_of_any_kind_is_no_phone_number() {
        let plain = serde_json::json!({"phoneNumber": "13800001234", "watermark": {"appid": "wx1"}});
        let (iv, data) = encrypt(KEY, &plain);
        let other_key = BASE64_STANDARD.encode([1_u8; 16]);
        let short = BASE64_STANDARD.encode([1_u8; 5]);
        let cases = [
            ("", "", ""),
            (KEY, iv.as_str(), ""),
            (KEY, "", data.as_str()),
            ("", iv.as_str(), data.as_str()),
            (KEY, iv.as_str(), "%%%"),
            (KEY, iv.as_str(), short.as_str()),
            (KEY, short.as_str(), data.as_str()),
            (short.as_str(), iv.as_str(), data.as_str()),
            (other_key.as_str(), iv.as_str(), data.as_str()),
        ];
        for (key, iv, data) in cases {
            assert_eq!(mobile(key, iv, data, "wx1"), None, "{key} {iv} {data}");
        }
    }
}
