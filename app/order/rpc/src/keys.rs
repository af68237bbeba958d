//! Keys that make a repeated booking the same booking.

use homestay_types::idempotency;
use serde_json::json;

use crate::change::NewChange;
use crate::create::NewOrder;

/// Key of the first hold: the same for the same user, route and Idempotency-Key; nobody can guess somebody else's.
pub(crate) fn hold_key(user_id: i64, route: &str, idempotency_key: &str) -> String {
    idempotency::scope(user_id, route, idempotency_key)
}

/// Key of the hold of a later attempt.
pub(crate) fn later_key(hold_key: &str, attempt: i64) -> String {
    format!("{hold_key}#{attempt}")
}

/// Route of a request that came without a key: nothing is compared with it.
const NONE: &str = "";

fn route(key: Option<&(String, String)>) -> &str {
    key.map_or(NONE, |(route, _)| route.as_str())
}

/// What was asked for.
pub(crate) fn fingerprint(new: &NewOrder) -> String {
    let body = json!({
        "homestayId": new.house_id,
        "checkIn": new.check_in,
        "checkOut": new.check_out,
        "liveStartTime": new.start_s,
        "liveEndTime": new.end_s,
        "guests": new.guests,
        "meals": new.meals,
        "expectedTotalCents": new.expected_total_cents,
        "remark": new.remark,
    });
    idempotency::fingerprint(new.user_id, route(new.key.as_ref()), &body)
}

/// The change that is asked for; the order's number is in the path.
pub(crate) fn change_fingerprint(user_id: i64, new: &NewChange) -> String {
    let body = json!({
        "sn": new.sn,
        "checkIn": new.check_in_day,
        "checkOut": new.check_out_day,
        "guests": new.guests,
        "meals": new.meals,
        "expectedTotalCents": new.expected_cents,
    });
    idempotency::fingerprint(user_id, route(new.key.as_ref()), &body)
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
