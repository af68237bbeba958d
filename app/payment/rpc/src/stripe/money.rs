//! Amounts in Stripe's units (<https://docs.stripe.com/currencies>). Ours are those of ISO 4217: the minor unit of a currency,
//! which is the currency itself where it has none.

/// What Stripe counts as one of its units where it does not count as ISO 4217 does.
enum Unit {
    /// As ISO 4217.
    Same,
    /// The currency has no minor unit any more, but Stripe goes on counting in hundredths.
    Hundredth,
    /// The currency has one, but Stripe counts whole ones.
    Whole,
    /// Thousandths, of which the last digit must be 0.
    Tens,
}

fn unit(currency: &str) -> Unit {
    match currency.to_ascii_uppercase().as_str() {
        "ISK" | "UGX" => Unit::Hundredth,
        "MGA" => Unit::Whole,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Unit::Tens,
        _ => Unit::Same,
    }
}

/// Our amount as Stripe counts it; none if Stripe cannot take that amount.
pub(super) fn to_stripe(currency: &str, amount: i64) -> Option<i64> {
    match unit(currency) {
        Unit::Same => Some(amount),
        Unit::Hundredth => amount.checked_mul(100),
        Unit::Whole => (amount % 100 == 0).then_some(amount / 100),
        Unit::Tens => (amount % 10 == 0).then_some(amount),
    }
}

/// Stripe's amount as we count it; none if it has no such amount.
pub(super) fn from_stripe(currency: &str, amount: i64) -> Option<i64> {
    match unit(currency) {
        Unit::Same | Unit::Tens => Some(amount),
        Unit::Hundredth => (amount % 100 == 0).then_some(amount / 100),
        Unit::Whole => amount.checked_mul(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_to_stripe_and_back() {
        let table = [
            ("CNY", 25_600, Some(25_600)),
            ("usd", 1, Some(1)),
            ("JPY", 500, Some(500)),
            ("KRW", 12_000, Some(12_000)),
            ("ISK", 900, Some(90_000)),
            ("UGX", 5, Some(500)),
            ("MGA", 500, Some(5)),
            ("MGA", 550, None),
            ("KWD", 5_120, Some(5_120)),
            ("KWD", 5_124, None),
            ("ISK", i64::MAX, None),
        ];
        for (currency, ours, stripes) in table {
            assert_eq!(to_stripe(currency, ours), stripes, "{ours} {currency}");
            if let Some(stripes) = stripes {
                assert_eq!(
                    from_stripe(currency, stripes),
                    Some(ours),
                    "{stripes} of {currency}"
                );
            }
        }
        assert_eq!(from_stripe("ISK", 950), None);
    }
}
