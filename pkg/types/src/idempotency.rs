//! Idempotency-Keys (draft-ietf-httpapi-idempotency-key-header): what a key stands under, and when two requests are the same.
//!
//! - A key belongs to one account and one route ([`scope`]): somebody else's key, or the same key on another route, is another
//!   key. A route is the method and the path as it is declared, such as `POST /v1/orders`.
//! - Two requests under one key are the same if their [`fingerprint`]s are: SHA-256 over the route, the account and the body as
//!   it was understood, in canonical form. Defaults are filled in before and what the path says (an order's number) belongs to
//!   the body, so neither the order of fields, nor blanks, nor a default that is spelt out make another request. Headers do
//!   not count. Another request under the same key is answered `IDEMPOTENCY_KEY_REUSED`.
//! - A booking's key is kept as long as its order; any other POST's for at least [`KEPT`].

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What a key may look like.
pub const RULE: &str = "must be 1 to 255 visible ASCII characters";

/// How long the key of a POST that books nothing is known, at least.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Whether `text` can be a key: [`RULE`].
#[must_use]
pub fn is_key(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Under what a caller's key is kept, 64 characters: nobody can guess somebody else's.
#[must_use]
pub fn scope(user_id: i64, route: &str, key: &str) -> String {
    hex_sha256(&format!("{user_id}\n{route}\n{key}"))
}

/// What was asked for, 64 characters: equal for equal requests.
#[must_use]
pub fn fingerprint(user_id: i64, route: &str, body: &Value) -> String {
    hex_sha256(&format!("{route}\n{user_id}\n{}", canonical(body)))
}

/// JSON without blanks and with sorted fields; a field that is null is as good as none (as RFC 8785 otherwise).
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| !value.is_null()).collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(text, value);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(text, item);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn hex_sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // A String takes everything.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROUTE: &str = "POST /v1/orders";

    #[test]
    fn a_key_has_1_to_255_visible_ascii_characters() {
        let longest = "k".repeat(255);
        let too_long = "k".repeat(256);
        for (text, good) in [
            ("k", true),
            ("0b7c-!~", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a b", false),
            ("tab\t", false),
            ("schlüssel", false),
            ("\u{7f}", false),
        ] {
            assert_eq!(is_key(text), good, "{text:?}");
        }
    }

    #[test]
    fn the_scope_differs_by_account_route_and_key() {
        let one = scope(1, ROUTE, "k");
        assert_eq!(one, scope(1, ROUTE, "k"));
        assert_eq!(one.len(), 64);
        for other in [
            scope(2, ROUTE, "k"),
            scope(1, "POST /v2/orders", "k"),
            scope(1, ROUTE, "l"),
            // Neither end of a part can be moved into the next one.
            scope(11, "POST /v1/orders", "k"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn neither_the_order_of_fields_nor_blanks_nor_nulls_make_another_request() {
        let same = [
            r#"{"homestayId":7,"guests":2,"rooms":[{"a":1,"b":"x"}],"meals":false}"#,
            r#"{ "meals" : false, "rooms": [ { "b":"x", "a" : 1 } ],  "guests":2, "homestayId": 7 }"#,
            "{\n\t\"guests\":2,\"homestayId\":7,\"meals\":false,\"rooms\":[{\"b\":\"\\u0078\",\"a\":1,\"c\":null}],\"expectedTotalCents\":null}",
        ];
        let prints: Vec<String> = same
            .iter()
            .map(|text| fingerprint(1, ROUTE, &serde_json::from_str(text).unwrap()))
            .collect();
        assert_eq!(prints[0], prints[1]);
        assert_eq!(prints[0], prints[2]);
        assert_eq!(prints[0].len(), 64);
    }

    #[test]
    fn any_other_body_route_or_account_is_another_request() {
        let body = json!({"homestayId": 7, "guests": 2, "remark": ""});
        let one = fingerprint(1, ROUTE, &body);
        for other in [
            fingerprint(2, ROUTE, &body),
            fingerprint(1, "POST /v1/orders/{sn}/changes", &body),
            fingerprint(1, ROUTE, &json!({"homestayId": 7, "guests": 3, "remark": ""})),
            fingerprint(1, ROUTE, &json!({"homestayId": 7, "guests": "2", "remark": ""})),
            fingerprint(1, ROUTE, &json!({"homestayId": 7, "guests": 2, "remark": "x"})),
            fingerprint(
                1,
                ROUTE,
                &json!({"homestayId": 7, "guests": 2, "remark": "", "meals": true}),
            ),
            fingerprint(1, ROUTE, &json!([])),
            fingerprint(1, ROUTE, &Value::Null),
        ] {
            assert_ne!(one, other);
        }
        // The order of a list says something, and no text can imitate a field.
        assert_ne!(
            fingerprint(1, ROUTE, &json!({"a": [1, 2]})),
            fingerprint(1, ROUTE, &json!({"a": [2, 1]}))
        );
        assert_ne!(
            fingerprint(1, ROUTE, &json!({"a": "1\",\"b\":\"2"})),
            fingerprint(1, ROUTE, &json!({"a": "1", "b": "2"}))
        );
    }

    #[test]
    fn the_canonical_form_is_as_rfc_8785_has_it() {
        let text = r#"{"b": [1, true, null, "\u00e9\n"], "a": {"z": -5, "y": {}}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            canonical(&value),
            r#"{"a":{"y":{},"z":-5},"b":[1,true,null,"é\n"]}"#
        );
    }
}
