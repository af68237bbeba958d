//! Settings: compiled-in defaults, then a YAML file, then the environment (`HOMESTAY__SECTION__KEY`), later ones going first.
//!
//! The target types say what is allowed: with `#[serde(deny_unknown_fields)]` an unknown key, like a bad value, is an error that
//! names the key and where it was set. This crate is the only place that reads the environment.

mod load;
mod node;
mod secret;

pub use load::{ConfigError, load};
pub use secret::Secret;

/// Prefix of the environment variables that are settings.
const PREFIX: &str = "HOMESTAY__";

/// The variables of this process's environment that are settings, for [`load`].
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
pub fn environment() -> impl Iterator<Item = (String, String)> {
    // Not `vars()`: that panics on any variable that is not Unicode, ours or not.
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        name.starts_with(PREFIX)
            .then(|| (name, value.to_string_lossy().into_owned()))
    })
}

/// The address of a server that tests may use, such as `HOMESTAY_TEST_POSTGRES_URL` (`deploy/infra/infra` prints them); none
/// if the variable is unset or empty.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
pub fn test_server(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|address| !address.is_empty())
}

/// The settings as YAML, for a person to read: whatever is a [`Secret`] is hidden.
///
/// # Panics
/// If `T` has something that YAML cannot say, such as a map with compound keys.
#[must_use]
pub fn redacted_yaml<T: serde::Serialize>(settings: &T) -> String {
    serde_norway::to_string(settings).expect("settings that came from YAML can be written as YAML")
}
