//! What an account may look like. Pure: text in, text or the name of the wrong field out.

use homestay_error::{Error, Result};

/// Longest nickname, in characters.
pub(crate) const NICKNAME_MAX: usize = 32;

/// A Chinese mobile number: 11 digits, the first a 1 (contract.md §1.8: char(11)).
pub(crate) fn mobile(text: &str) -> Result<&str> {
    let digits = text.len() == 11 && text.bytes().all(|b| b.is_ascii_digit());
    if digits && text.starts_with('1') {
        Ok(text)
    } else {
        Err(Error::invalid("mobile", "must be 11 digits, the first a 1"))
    }
}

/// A password for a new account: 6 to 128 characters, whatever they are.
pub(crate) fn password(text: &str) -> Result<&str> {
    match text.chars().count() {
        6..=128 => Ok(text),
        _ => Err(Error::invalid("password", "must have 6 to 128 characters")),
    }
}

/// A nickname as given, without the blanks around it; `None` if there is none.
pub(crate) fn nickname(text: &str) -> Result<Option<&str>> {
    let text = text.trim();
    if text.chars().count() > NICKNAME_MAX {
        return Err(Error::invalid("nickname", "must have at most 32 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid("nickname", "must not have control characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The nickname of who came through WeChat: `LookLook` and the last four characters of the mobile, or of the openid of
/// who has given none.
pub(crate) fn wechat_nickname(mobile: Option<&str>, openid: &str) -> String {
    let from = mobile.unwrap_or(openid);
    let skip = from.chars().count().saturating_sub(4);
    format!("LookLook{}", from.chars().skip(skip).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mobile_is_eleven_digits_with_a_leading_one() {
        for good in ["13800000000", "19999999999", "10000000000"] {
            assert_eq!(mobile(good).ok(), Some(good));
        }
        for bad in [
            "",
            "1",
            "1380000000",
            "138000000000",
            "23800000000",
            "1380000000x",
            "+8613800000",
            " 1380000000",
            "１３８００００００００",
        ] {
            assert_eq!(
                mobile(bad).map_err(|e| e.field_name() == Some("mobile")),
                Err(true),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_password_has_6_to_128_characters() {
        let cases = [
            (String::new(), false),
            ("12345".into(), false),
            ("123456".into(), true),
            ("密码密码密码".into(), true),
            ("密".repeat(128), true),
            ("x".repeat(129), false),
        ];
        for (text, good) in cases {
            assert_eq!(password(&text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_nickname_is_kept_unless_it_is_blank_or_too_long() {
        let longest = "名".repeat(32);
        let cases = [
            ("", Ok(None)),
            ("   ", Ok(None)),
            (" Ann ", Ok(Some("Ann"))),
            (longest.as_str(), Ok(Some(longest.as_str()))),
            ("a\nb", Err(())),
            ("012345678901234567890123456789012", Err(())),
        ];
        for (text, want) in cases {
            assert_eq!(nickname(text).map_err(|_| ()), want, "{text}");
        }
    }

    #[test]
    fn a_wechat_nickname_never_panics_on_short_texts() {
        let cases = [
            (Some("13800001234"), "o1", "LookLook1234"),
            (None, "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "LookLookVJJE"),
            (None, "o1", "LookLooko1"),
            (Some(""), "", "LookLook"),
        ];
        for (mobile, openid, want) in cases {
            assert_eq!(wechat_nickname(mobile, openid), want);
        }
    }
}
