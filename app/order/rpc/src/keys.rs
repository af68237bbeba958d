//! Keys that make a repeated booking the same booking.

use sha2::{Digest, Sha256};

use crate::change::NewChange;
use crate::create::NewOrder;

fn hex_sha256(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Key of the first hold: the same for the same user, route and Idempotency-Key; nobody can guess somebody else's.
pub(crate) fn hold_key(user_id: i64, route: &str, idempotency_key: &str) -> String {
    hex_sha256(&format!("{user_id}\n{route}\n{idempotency_key}"))
}

/// Key of the hold of a later attempt.
pub(crate) fn later_key(hold_key: &str, attempt: i64) -> String {
    format!("{hold_key}#{attempt}")
}

/// Hash of what was asked for. The free text comes last: no other field can be imitated by it.
pub(crate) fn fingerprint(new: &NewOrder) -> String {
    hex_sha256(&format!(
        "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
        new.house_id,
        new.check_in,
        new.check_out,
        new.start_s,
        new.end_s,
        new.guests,
        new.meals,
        new.expected_total_cents,
        new.remark,
    ))
}

/// Hash of a change that is asked for.
pub(crate) fn change_fingerprint(new: &NewChange) -> String {
    hex_sha256(&format!(
        "change\n{}\n{}\n{}\n{}\n{:?}\n{}",
        new.sn, new.check_in_day, new.check_out_day, new.guests, new.meals, new.expected_cents,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_user_route_and_key() {
        let one = hold_key(1, "POST /v1/orders", "k");
        assert_eq!(one, hold_key(1, "POST /v1/orders", "k"));
        assert_eq!(one.len(), 64);
        for other in [
            hold_key(2, "POST /v1/orders", "k"),
            hold_key(1, "POST /v2", "k"),
            hold_key(1, "POST /v1/orders", "l"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(later_key("abc", 2), "abc#2");
    }
}
