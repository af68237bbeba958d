//! The header `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>…]`: HMAC-SHA256 over `<unix seconds>.<body>` with the
//! endpoint's secret (<https://docs.stripe.com/webhooks#verify-manually>). Other schemes in it are for tests of Stripe's.

use hmac::{Hmac, KeyInit, Mac};
use homestay_error::{Code, Error, Result};
use sha2::Sha256;

/// Name of the header, in lower case.
pub(super) const HEADER: &str = "stripe-signature";
/// How far the time of a signature may lie from ours, seconds.
const WINDOW_S: u64 = 300;

fn mac(secret: &str, at: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// Checks a header's value: one of its signatures must be of one of our secrets. The comparison takes the same time wherever
/// the difference is.
///
/// # Errors
/// [`Code::BadSignature`] if it is missing, malformed, of another secret or body, or more than five minutes off.
pub(super) fn verify(secrets: &[String], header: Option<&str>, body: &[u8], now_ms: i64) -> Result<()> {
    let refused = |why: &'static str| Error::new(Code::BadSignature).source(why);
    let header = header.ok_or_else(|| refused("no signature"))?;
    let (mut at, mut given) = (None, Vec::new());
    for (scheme, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match scheme {
            "t" => at = Some(value),
            "v1" => given.extend(unhex(value)),
            _ => {}
        }
    }
    let at = at.ok_or_else(|| refused("no time"))?;
    let at_s: i64 = at.parse().map_err(|_| refused("malformed time"))?;
    let good = secrets.iter().any(|secret| {
        let mac = mac(secret, at, body);
        given.iter().any(|given| mac.clone().verify_slice(given).is_ok())
    });
    if !good {
        return Err(refused("signature of another secret or body"));
    }
    if at_s.abs_diff(now_ms.div_euclid(1000)) > WINDOW_S {
        return Err(refused("too old, or from the future"));
    }
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high * 16 + low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_one`
    const HEX: &str = "7a2c447e7840ce3b2d30a7788c3d53bec4543daedf625041d5adb586a7dfca22";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const AT_MS: i64 = 1_492_774_577_000;

    #[test]
    fn only_the_right_secret_body_and_time_pass() {
        let header = format!("t=1492774577,v1={HEX}");
        type Case<'a> = (&'a str, &'a [&'a str], &'a [u8], i64, bool);
        let table: [Case; 14] = [
            (&header, &["whsec_one"], BODY, AT_MS, true),
            // A header of the documented form: several schemes, several signatures.
            (
                &format!("t=1492774577,v1={},v1={HEX},v0=6ffbb59b", "0".repeat(64)),
                &["whsec_one"],
                BODY,
                AT_MS,
                true,
            ),
            (&header, &["whsec_two", "whsec_one"], BODY, AT_MS, true),
            (&header, &["whsec_one"], BODY, AT_MS + 300_999, true),
            (&header, &["whsec_one"], BODY, AT_MS - 300_000, true),
            (&header, &["whsec_one"], BODY, AT_MS + 301_000, false),
            (&header, &["whsec_one"], BODY, AT_MS - 301_000, false),
            (&header, &["whsec_two"], BODY, AT_MS, false),
            (&header, &[], BODY, AT_MS, false),
            (&header, &["whsec_one"], b"{}", AT_MS, false),
            (&header.replace("v1", "v0"), &["whsec_one"], BODY, AT_MS, false),
            (&header.replace("t=", "at="), &["whsec_one"], BODY, AT_MS, false),
            (&header.replace("77,", "78,"), &["whsec_one"], BODY, AT_MS, false),
            ("", &["whsec_one"], BODY, AT_MS, false),
        ];
        for (header, secrets, body, now_ms, passes) in table {
            let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
            let outcome = verify(&secrets, Some(header), body, now_ms);
            assert_eq!(outcome.is_ok(), passes, "{header} at {now_ms}");
            if let Err(error) = outcome {
                assert_eq!(error.code(), Code::BadSignature);
            }
        }
        assert!(verify(&["whsec_one".to_owned()], None, BODY, AT_MS).is_err());
    }
}
