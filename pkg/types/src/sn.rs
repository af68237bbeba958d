use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not a serial number of the wanted kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a number of the form {prefix} and 22 digits")]
pub struct SnError {
    prefix: &'static str,
}

macro_rules! sn {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The three letters all numbers of this kind begin with.
            pub const PREFIX: &'static str = $prefix;

            /// The number's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = SnError;

            fn from_str(text: &str) -> Result<Self, SnError> {
                match text.strip_prefix($prefix) {
                    Some(digits) if digits.len() == 22 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                        Ok(Self(text.to_owned()))
                    }
                    _ => Err(SnError { prefix: $prefix }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = SnError;

            fn try_from(text: String) -> Result<Self, SnError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(sn: $name) -> String {
                sn.0
            }
        }
    };
}

// One type each: in the reference a payment number ends up in a field for order numbers (holes.md B01).
sn!(
    /// Number of an order: `HSO`, `yyyyMMddHHmmss`, 8 digits (contract.md §1.5).
    OrderSn,
    "HSO"
);
sn!(
    /// Number of a payment: `PMT`, `yyyyMMddHHmmss`, 8 digits (contract.md §1.5).
    PaymentSn,
    "PMT"
);
sn!(
    /// Number of a refund: `RFD`, `yyyyMMddHHmmss`, 8 digits.
    RefundSn,
    "RFD"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_number_is_no_order_number() {
        assert!("HSO2026112110155912345678".parse::<OrderSn>().is_ok());
        for bad in [
            "PMT2026112110155912345678",
            "HSO",
            "HSO202611211015591234567x",
            "HSO20261121101559123456789",
            "",
        ] {
            assert!(bad.parse::<OrderSn>().is_err(), "{bad}");
        }
    }
}
