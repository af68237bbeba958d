use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use homestay_error::{Error, Result};

/// The opaque cursor of lists that are paged by id: where the next page goes on.
#[must_use]
pub fn cursor(last_id: i64) -> String {
    URL_SAFE_NO_PAD.encode(last_id.to_string())
}

/// The id in a [`cursor`].
///
/// # Errors
/// Naming `cursor`, if it is not one that was given out.
pub fn last_id(cursor: &str) -> Result<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|id| *id > 0)
        .ok_or_else(|| Error::invalid("cursor", "is not one that was given out"))
}
