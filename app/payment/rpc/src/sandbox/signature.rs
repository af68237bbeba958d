//! How the sandbox signs its callbacks: HMAC-SHA256 (RFC 2104) over `<unix seconds>.<body>`, in the header
//! `Sandbox-Signature: t=<unix seconds>,v1=<hex>`.

use hmac::{Hmac, KeyInit, Mac};
use homestay_error::{Code, Error, Result};
use sha2::Sha256;

/// Name of the header, in lower case.
pub const HEADER: &str = "sandbox-signature";

/// How far a callback's time may lie from ours, seconds.
const WINDOW_S: i64 = 300;

fn mac(secret: &[u8], at_s: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(at_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The header's value for a body sent at `at_s` (unix seconds).
#[must_use]
pub fn sign(secret: &[u8], at_s: i64, body: &[u8]) -> String {
    let digest = mac(secret, at_s, body).finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={hex}")
}

/// Checks a header's value; the comparison takes the same time wherever the difference is.
///
/// # Errors
/// [`Code::BadSignature`] if it is missing, malformed, of another key or body, or more than five minutes off.
pub fn verify(secret: &[u8], header: Option<&str>, body: &[u8], now_s: i64) -> Result<()> {
    let refused = |why: &'static str| Error::new(Code::BadSignature).source(why);
    let header = header.ok_or_else(|| refused("no signature"))?;
    let (at, hex) = header
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .ok_or_else(|| refused("malformed signature"))?;
    let at_s: i64 = at.parse().map_err(|_| refused("malformed time"))?;
    let given = unhex(hex).ok_or_else(|| refused("malformed signature"))?;
    mac(secret, at_s, body)
        .verify_slice(&given)
        .map_err(|_| refused("signature of another key or body"))?;
    if at_s.abs_diff(now_s) > WINDOW_S.unsigned_abs() {
        return Err(refused("too old, or from the future"));
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_795_219_200;

    #[test]
    fn only_the_right_key_body_and_time_pass() {
        let good = sign(b"secret", NOW_S, b"{}");
        let table = [
            (Some(good.clone()), &b"{}"[..], NOW_S, true),
            (Some(good.clone()), b"{}", NOW_S + 300, true),
            (Some(good.clone()), b"{}", NOW_S - 300, true),
            (Some(good.clone()), b"{}", NOW_S + 301, false),
            (Some(good.clone()), b"{}", NOW_S - 301, false),
            (Some(good.clone()), b"{ }", NOW_S, false),
            (Some(sign(b"other", NOW_S, b"{}")), b"{}", NOW_S, false),
            // The time is signed too.
            (
                Some(good.replace("t=1795219200", "t=1795219201")),
                b"{}",
                NOW_S,
                false,
            ),
            (Some(good[..good.len() - 2].to_owned()), b"{}", NOW_S, false),
            (Some(format!("{good}0")), b"{}", NOW_S, false),
            (Some(format!("t={NOW_S},v1=")), b"{}", NOW_S, false),
            (Some(format!("t={NOW_S},v1=zz")), b"{}", NOW_S, false),
            (
                Some("t=99999999999999999999,v1=00".to_owned()),
                b"{}",
                NOW_S,
                false,
            ),
            (Some(format!("t={},v1=00", i64::MIN)), b"{}", NOW_S, false),
            (Some(String::new()), b"{}", NOW_S, false),
            (None, b"{}", NOW_S, false),
        ];
        for (header, body, now_s, passes) in table {
            let outcome = verify(b"secret", header.as_deref(), body, now_s);
            assert_eq!(outcome.is_ok(), passes, "{header:?} at {now_s}");
            if let Err(error) = outcome {
                assert_eq!(error.code(), Code::BadSignature);
            }
        }
    }

    #[test]
    fn the_form_is_the_documented_one() {
        // printf '1795219200.{}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            sign(b"secret", NOW_S, b"{}"),
            "t=1795219200,v1=37efc5e1cf3d84a05cf90fb73875548152ec631c7046f4c61f35715928c30680"
        );
    }
}
