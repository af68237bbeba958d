//! What Postgres keeps of a password, made here: so the password itself is in no statement, and in no log of the server.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// As Postgres' own.
const ROUNDS: u32 = 4096;
const SALT: usize = 16;

/// The verifier of a password for SCRAM-SHA-256 (RFC 5802 §3, in the form that `CREATE ROLE … PASSWORD` takes for one); none
/// if the password is not allowed by SASLprep, which clients use.
pub(crate) fn verifier(password: &str) -> Option<String> {
    let salt: [u8; SALT] = rand::random();
    let password = stringprep::saslprep(password).ok()?;
    Some(of(password.as_bytes(), &salt))
}

fn of(password: &[u8], salt: &[u8]) -> String {
    let mut block = hmac(password, &[salt, &1u32.to_be_bytes()]);
    let mut salted = block;
    for _ in 1..ROUNDS {
        block = hmac(password, &[&block]);
        for (sum, byte) in salted.iter_mut().zip(block) {
            *sum ^= byte;
        }
    }
    let stored = Sha256::digest(hmac(&salted, &[b"Client Key"]));
    let server = hmac(&salted, &[b"Server Key"]);
    let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    format!(
        "SCRAM-SHA-256${ROUNDS}:{}${}:{}",
        text(salt),
        text(&stored),
        text(&server)
    )
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_that_of_the_rfc_and_hides_the_password() {
        // RFC 7677 §3: user "user", password "pencil"; the server's signature there proves the server key.
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = of(b"pencil", &salt);
        let server = BASE64_STANDARD
            .decode(verifier.rsplit_once(':').unwrap().1)
            .unwrap();
        let exchange: [&[u8]; 3] = [
            b"n=user,r=rOprNGfwEbeRWgbNEkqO,",
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,",
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        ];

        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
        assert_eq!(
            BASE64_STANDARD.encode(hmac(&server, &exchange)),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
        assert_ne!(super::verifier("pencil"), super::verifier("pencil"), "salted");
        assert_eq!(super::verifier("a\u{7}b"), None);
    }
}
