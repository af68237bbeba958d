use std::fmt::Write;
use std::str::FromStr;

use homestay_error::Result;
use sqlx::ConnectOptions;
use sqlx::any::AnyConnectOptions;

/// What a session is set to, unless the URL says otherwise.
///
/// No statement outlives the caller's deadline by much, none waits for a lock longer than the caller does, and none holds locks
/// while its process sleeps. Prepared statements are planned once, with no regard to their parameters: all of ours go by keys,
/// and with the page cost of a disk without heads lists are read from their index in its order, however long they are.
/// The keep-alive ends the session, and with it the locks, of a machine that vanished.
const SETTINGS: [(&str, &str); 9] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "2000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("random_page_cost", "1.1"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
];

/// The domain of a URL by its role `homestay_<domain>`; else `other`.
pub(crate) fn domain(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let user = authority.split(['@', ':', '/']).next().unwrap_or_default();
    user.strip_prefix("homestay_")
        .filter(|domain| domain.bytes().all(|b| b.is_ascii_lowercase()))
        .unwrap_or("other")
}

/// The URL with our settings, as far as it does not name them itself.
fn with_settings(url: &str) -> String {
    let mut whole = url.to_owned();
    // A password may look like anything.
    let query = url.split_once('?').map(|(_, query)| query);
    let mut sign = if query.is_some() { '&' } else { '?' };
    let query = query.unwrap_or_default();
    let mut add = |key: &str, value: &str| {
        let _ = write!(whole, "{sign}{key}={value}");
        sign = '&';
    };
    for (name, value) in SETTINGS {
        if !query.contains(name) {
            add(&format!("options[{name}]"), value);
        }
    }
    if !query.contains("application_name=") {
        add("application_name", &format!("homestay-{}", domain(url)));
    }
    whole
}

pub(crate) fn options(url: &str) -> Result<AnyConnectOptions> {
    Ok(AnyConnectOptions::from_str(&with_settings(url))?.disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_given_what_it_does_not_say_itself() {
        let plain = with_settings("postgres://homestay_order:secret@db:5432/homestay");
        assert!(plain.starts_with(
            "postgres://homestay_order:secret@db:5432/homestay?options[statement_timeout]=5000&"
        ));
        assert!(plain.ends_with("&application_name=homestay-order"));

        let own = with_settings(
            "postgres://u@db/x?sslmode=require&options[statement_timeout]=9&application_name=mine",
        );
        assert_eq!(own.matches("statement_timeout").count(), 1);
        assert_eq!(own.matches("application_name").count(), 1);
        assert!(own.contains("=mine&options[lock_timeout]=2000&"));

        let strange = with_settings("postgres://u:jit,lock_timeout,application_name=@db/x");
        for named in [
            "?options[statement_timeout]=",
            "&options[jit]=",
            "&options[lock_timeout]=",
            "&application_name=",
        ] {
            assert!(strange.contains(named), "{named}");
        }
    }

    #[test]
    fn the_domain_is_told_by_the_role() {
        assert_eq!(domain("postgres://homestay_payment:p%40@h/d"), "payment");
        assert_eq!(domain("postgres://postgres:homestay_x@h/d"), "other");
        assert_eq!(domain("postgres://homestay_a-b@h/d"), "other");
    }
}
