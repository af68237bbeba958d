//! Access tokens: JWT with HS256 (RFC 7519, RFC 7518 §3.2), checked against the clock of the process.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use homestay_clock::Clock;
use homestay_error::{Code, Error};
use homestay_rpc::Actor;
use homestay_types::Role;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::ApiError;

/// What a token says (contract.md §1.2), and the role it was issued for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Unix seconds after which it is refused.
    pub exp: i64,
    /// Unix seconds at which it was issued.
    pub iat: i64,
    /// The account.
    #[serde(rename = "jwtUserId")]
    pub user_id: i64,
    /// The account's role when it was issued.
    pub role: Role,
}

/// The signing keys by `kid`: the first signs, all verify, so that a key can be replaced while old tokens live on.
#[derive(Clone)]
pub struct Keys {
    keys: Vec<(String, String)>,
    clock: Clock,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|(kid, _)| kid))
            .finish()
    }
}

impl Keys {
    /// Keys as (kid, secret), the signing one first.
    ///
    /// # Panics
    /// If there is none; configuration checks that.
    #[must_use]
    pub fn new(keys: Vec<(String, String)>, clock: Clock) -> Self {
        assert!(!keys.is_empty(), "at least one key");
        Self { keys, clock }
    }

    /// Signs claims with the first key.
    ///
    /// # Errors
    /// [`Code::Internal`] if the key cannot be used.
    pub fn sign(&self, claims: &Claims) -> Result<String, Error> {
        let (kid, secret) = &self.keys[0];
        let header = Header {
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes()))
            .map_err(Error::internal)
    }

    /// Checks a token's algorithm, key, signature and time.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for any other token than one of ours that is still good.
    pub fn verify(&self, token: &str) -> Result<Claims, Error> {
        let refused = || Error::new(Code::Unauthenticated);
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
        if header.alg != Algorithm::HS256 {
            return Err(refused());
        }
        let kid = header.kid.ok_or_else(refused)?;
        let (_, secret) = self
            .keys
            .iter()
            .find(|(known, _)| *known == kid)
            .ok_or_else(refused)?;
        let mut rules = Validation::new(Algorithm::HS256);
        // The time is checked below, by our clock; that `exp` is there, the claims' type demands.
        rules.validate_exp = false;
        let key = DecodingKey::from_secret(secret.as_bytes());
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &rules)
            .map_err(|_| refused())?
            .claims;
        if claims.exp <= self.clock.now_ms() / 1000 {
            return Err(refused());
        }
        Ok(claims)
    }
}

/// The signed-in account; a request without a good token is answered 401.
#[derive(Debug, Clone, Copy)]
pub struct AuthUser {
    /// The account.
    pub id: i64,
    /// Its role.
    pub role: Role,
}

impl AuthUser {
    /// For whom calls are made.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User {
            id: self.id,
            role: self.role,
        }
    }
}

/// The signed-in account, or nobody. A token that is there must be good all the same.
#[derive(Debug, Clone, Copy)]
pub struct MaybeUser(pub Option<AuthUser>);

impl MaybeUser {
    /// For whom calls are made.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.0.map_or(Actor::Anonymous, |user| user.actor())
    }
}

fn authenticate(parts: &Parts) -> Result<Option<AuthUser>, ApiError> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let keys = parts
        .extensions
        .get::<Keys>()
        .ok_or_else(|| Error::internal("no keys in the request"))?;
    let text = value
        .to_str()
        .map_err(|_| Error::new(Code::Unauthenticated))?
        .trim();
    // The prefix is optional and its case does not matter (contract.md §1.2).
    let token = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    };
    let claims = keys.verify(token)?;
    Ok(Some(AuthUser {
        id: claims.user_id,
        role: claims.role,
    }))
}

impl<S: Send + Sync> FromRequestParts<S> for AuthUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        authenticate(parts)?.ok_or_else(|| Error::new(Code::Unauthenticated).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        authenticate(parts).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_795_219_200;

    fn keys(list: &[(&str, &str)]) -> Keys {
        let list = list
            .iter()
            .map(|(kid, secret)| ((*kid).to_owned(), (*secret).to_owned()))
            .collect();
        Keys::new(list, Clock::manual(NOW_S * 1000))
    }

    fn claims(exp: i64) -> Claims {
        Claims {
            exp,
            iat: NOW_S,
            user_id: 7,
            role: Role::Guest,
        }
    }

    #[test]
    fn a_key_can_be_replaced_while_old_tokens_live_on() {
        let old = keys(&[("1", "old-secret")]);
        let both = keys(&[("2", "new-secret"), ("1", "old-secret")]);
        let new = keys(&[("2", "new-secret")]);
        let token = old.sign(&claims(NOW_S + 60)).unwrap();
        assert_eq!(both.verify(&token).unwrap(), claims(NOW_S + 60));
        assert!(new.verify(&token).is_err());
        assert!(new.verify(&both.sign(&claims(NOW_S + 60)).unwrap()).is_ok());
    }

    #[test]
    fn a_token_of_another_algorithm_or_key_id_is_refused_though_its_secret_is_right() {
        let keys = keys(&[("2", "new-secret"), ("1", "old-secret")]);
        let signed = |algorithm, kid: Option<&str>, secret: &str| {
            let header = Header {
                kid: kid.map(str::to_owned),
                ..Header::new(algorithm)
            };
            let key = EncodingKey::from_secret(secret.as_bytes());
            jsonwebtoken::encode(&header, &claims(NOW_S + 60), &key).unwrap()
        };
        assert!(
            keys.verify(&signed(Algorithm::HS256, Some("2"), "new-secret"))
                .is_ok()
        );
        for (what, token) in [
            ("HS384", signed(Algorithm::HS384, Some("2"), "new-secret")),
            ("HS512", signed(Algorithm::HS512, Some("2"), "new-secret")),
            ("no kid", signed(Algorithm::HS256, None, "new-secret")),
            (
                "an unknown kid",
                signed(Algorithm::HS256, Some("3"), "new-secret"),
            ),
            ("an empty kid", signed(Algorithm::HS256, Some(""), "new-secret")),
            (
                "the kid of the other key",
                signed(Algorithm::HS256, Some("1"), "new-secret"),
            ),
        ] {
            assert_eq!(
                keys.verify(&token).unwrap_err().code(),
                Code::Unauthenticated,
                "{what}"
            );
        }
        // The header says RS256 or none, over the body and signature of a good token.
        let good = signed(Algorithm::HS256, Some("2"), "new-secret");
        let (_, rest) = good.split_once('.').unwrap();
        for header in [
            r#"{"alg":"RS256","kid":"2"}"#,
            r#"{"alg":"none","kid":"2"}"#,
            r#"{"kid":"2"}"#,
        ] {
            let header = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header);
            assert!(keys.verify(&format!("{header}.{rest}")).is_err());
        }
    }

    #[test]
    fn expired_foreign_unsigned_and_mangled_tokens_are_refused() {
        let keys = keys(&[("1", "secret")]);
        let good = keys.sign(&claims(NOW_S + 1)).unwrap();
        assert!(keys.verify(&good).is_ok());
        let expired = keys.sign(&claims(NOW_S)).unwrap();
        // {"alg":"none","kid":"1"} . {"exp":…,"iat":0,"jwtUserId":7,"role":"admin"} .
        let none = "eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.eyJleHAiOjk5OTk5OTk5OTksImlhdCI6MCwiand0VXNlcklkIjo3LCJyb2xlIjoiYWRtaW4ifQ.";
        let foreign = super::tests::keys(&[("1", "other")])
            .sign(&claims(NOW_S + 60))
            .unwrap();
        let mangled = format!("{good}x");
        #[derive(Serialize)]
        struct NoExp {
            iat: i64,
            #[serde(rename = "jwtUserId")]
            user_id: i64,
            role: Role,
        }
        let header = Header {
            kid: Some("1".into()),
            ..Header::new(Algorithm::HS256)
        };
        let eternal = NoExp {
            iat: NOW_S,
            user_id: 7,
            role: Role::Guest,
        };
        let eternal = jsonwebtoken::encode(&header, &eternal, &EncodingKey::from_secret(b"secret")).unwrap();
        for bad in [
            expired.as_str(),
            none,
            &foreign,
            &mangled,
            &eternal,
            "",
            "a.b.c",
            "x",
        ] {
            assert_eq!(
                keys.verify(bad).unwrap_err().code(),
                Code::Unauthenticated,
                "{bad}"
            );
        }
    }
}
