//! Bodies, dates and names that flows use.

use serde_json::{Value, json};

/// A stay's body.
pub fn stay((house, from, to): &(i64, String, String)) -> Value {
    json!({ "homestayId": house, "checkIn": from, "checkOut": to, "guests": 1 })
}

pub fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
        .to_owned()
}

/// A mobile number nobody has.
pub fn mobile() -> String {
    format!("13{:09}", rand::random_range(0..1_000_000_000u64))
}

pub fn unique() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The date that is `ahead` days after today.
pub fn day(ahead: i64) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program under test runs by the machine's clock"
    )]
    let today = jiff::Zoned::now().date();
    today.saturating_add(jiff::Span::new().days(ahead)).to_string()
}

pub fn next_day(date: &str) -> String {
    date.parse::<jiff::civil::Date>()
        .expect("a date")
        .tomorrow()
        .expect("a day after")
        .to_string()
}
