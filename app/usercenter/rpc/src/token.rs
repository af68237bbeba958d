use std::fmt;

use homestay_error::{Error, Result};
use homestay_types::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

/// What an access token says. Names as in contract.md §1.2, and the role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    #[serde(rename = "jwtUserId")]
    pub jwt_user_id: i64,
    /// Its role when the token was issued.
    pub role: String,
    /// End of its life, unix seconds.
    pub exp: i64,
    /// When it was issued, unix seconds.
    pub iat: i64,
}

/// The key that new access tokens are signed with, and its name in their header, so that keys can be rotated.
#[derive(Clone)]
pub struct SigningKey {
    header: Header,
    key: EncodingKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.header.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The HS256 key `secret`, called `kid`.
    #[must_use]
    pub fn new(kid: &str, secret: &[u8]) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.to_owned());
        Self {
            header,
            key: EncodingKey::from_secret(secret),
        }
    }

    /// An access token of `user_id` for the time from `iat` to `exp` (unix seconds).
    pub(crate) fn sign(&self, user_id: i64, role: Role, iat: i64, exp: i64) -> Result<String> {
        let claims = Claims {
            jwt_user_id: user_id,
            role: role.as_str().to_owned(),
            exp,
            iat,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use jsonwebtoken::{DecodingKey, Validation};

    #[test]
    fn a_token_names_its_key_and_says_what_the_contract_says() {
        let token = SigningKey::new("k1", b"secret")
            .sign(7, Role::Host, 4_000_000_000, 4_000_000_900)
            .expect("a token");
        let parts: Vec<serde_json::Value> = token
            .split('.')
            .take(2)
            .map(|part| {
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
                serde_json::from_slice(&bytes).expect("JSON")
            })
            .collect();
        assert_eq!(
            parts[0],
            serde_json::json!({"typ": "JWT", "alg": "HS256", "kid": "k1"})
        );
        assert_eq!(
            parts[1],
            serde_json::json!({
                "jwtUserId": 7, "role": "host", "exp": 4_000_000_900_i64, "iat": 4_000_000_000_i64
            })
        );

        let check = |secret: &[u8]| {
            let validation = Validation::new(Algorithm::HS256);
            jsonwebtoken::decode::<Claims>(&token, &DecodingKey::from_secret(secret), &validation).is_ok()
        };
        assert!(check(b"secret"));
        assert!(!check(b"other"));
    }

    #[test]
    fn a_key_does_not_print_its_secret() {
        let printed = format!("{:?}", SigningKey::new("k1", b"hunter22"));
        assert_eq!(printed, "SigningKey { kid: Some(\"k1\"), .. }");
    }
}
