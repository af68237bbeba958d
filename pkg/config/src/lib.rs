//! Settings: compiled-in defaults, then a YAML file, then the environment. The one place that reads the environment.

mod secret;

use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use secret::Secret;

/// First part of every environment variable that is a setting.
const PREFIX: &str = "HOMESTAY";
/// Between the parts: `HOMESTAY__ORDER__CLOSE_AFTER` is `order.close_after`.
const SEPARATOR: &str = "__";

/// A setting that is unknown, malformed or out of bounds.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {what}")]
pub struct ConfigError {
    key: String,
    what: String,
}

impl ConfigError {
    /// An error of one setting.
    #[must_use]
    pub fn bad(key: &str, what: &str) -> Self {
        Self {
            key: key.to_owned(),
            what: what.to_owned(),
        }
    }

    /// The setting's full name, such as `order.close_after`; a file's name if the file is no YAML.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The process's environment. A variable that is not Unicode is none of ours.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    let variables = std::env::vars_os();
    variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads settings: `defaults` (YAML, every key), then `file` (YAML, any keys), then `environment`.
///
/// `T` should deny unknown fields: a misspelt key then ends the start instead of being ignored.
///
/// # Errors
/// Names the key that is unknown or has a bad value, and the variable if it came from the environment.
pub fn load<T: DeserializeOwned>(
    defaults: &str,
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let given: Vec<(String, String)> = environment
        .filter(|(name, _)| name.starts_with(&format!("{PREFIX}{SEPARATOR}")))
        .collect();
    let variables = Environment::with_prefix(PREFIX)
        .prefix_separator(SEPARATOR)
        .separator(SEPARATOR)
        .try_parsing(false)
        .source(Some(given.iter().cloned().collect()));
    let mut sources = Config::builder().add_source(File::from_str(defaults, FileFormat::Yaml));
    if let Some(path) = file {
        sources = sources.add_source(File::from(path).format(FileFormat::Yaml));
    }
    let settings = sources
        .add_source(variables)
        .build()
        .map_err(|error| ConfigError {
            key: file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string()),
            what: error.to_string(),
        })?;
    serde_path_to_error::deserialize(settings.cache).map_err(|error| {
        let key = error.path().to_string();
        let variable = format!(
            "{PREFIX}{SEPARATOR}{}",
            key.to_uppercase().replace('.', SEPARATOR)
        );
        let origin = if given.iter().any(|(name, _)| *name == variable) {
            format!(" ({variable})")
        } else {
            String::new()
        };
        ConfigError {
            key,
            what: format!("{}{origin}", error.inner()),
        }
    })
}

/// Settings as YAML, for `check-config`; [`Secret`]s print as `***`.
///
/// # Panics
/// If they cannot be written, which is a mistake in the program.
#[must_use]
pub fn redacted_yaml<T: Serialize>(settings: &T) -> String {
    serde_norway::to_string(settings).expect("settings are plain data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::time::Duration;

    const DEFAULTS: &str =
        "demo: true\norder:\n  close_after: 30m\n  limit: 3\n  secret: \"\"\n  origins: []\n";

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        demo: bool,
        order: Order,
    }

    #[derive(Debug, Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(with = "humantime_serde")]
        close_after: Duration,
        limit: u32,
        secret: Secret,
        origins: Vec<String>,
    }

    fn read(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let path = file.map(|text| {
            let path = dir.path().join("settings.yaml");
            std::fs::write(&path, text).unwrap();
            path
        });
        load(DEFAULTS, path.as_deref(), environment)
    }

    #[test]
    fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
        let settings = read(None, &[]).unwrap();
        assert_eq!(
            (settings.demo, settings.order.close_after),
            (true, Duration::from_secs(1800))
        );
        let file = Some("order:\n  close_after: 5s\n  limit: 7\n");
        assert_eq!(read(file, &[]).unwrap().order.limit, 7);
        let variables = [
            ("HOMESTAY__ORDER__LIMIT", "9"),
            ("HOMESTAY__DEMO", "false"),
            ("HOMESTAY", "x"),
            ("PATH", "/bin"),
        ];
        let settings = read(file, &variables).unwrap();
        assert_eq!((settings.order.limit, settings.demo), (9, false));
        assert_eq!(settings.order.close_after, Duration::from_secs(5));
    }

    #[test]
    fn unknown_keys_and_bad_values_are_named() {
        type Case = (
            Option<&'static str>,
            &'static [(&'static str, &'static str)],
            &'static str,
        );
        let cases: [Case; 7] = [
            (Some("order:\n  clse_after: 1s\n"), &[], "order.clse_after"),
            (Some("ordr: {}\n"), &[], "ordr"),
            (Some("order:\n  close_after: soon\n"), &[], "order.close_after"),
            (None, &[("HOMESTAY__ORDER__CLSE_AFTER", "1s")], "order.clse_after"),
            (None, &[("HOMESTAY__ORDER__LIMIT", "-1")], "order.limit"),
            (
                None,
                &[("HOMESTAY__ORDER__LIMIT", "many")],
                "HOMESTAY__ORDER__LIMIT",
            ),
            (None, &[("HOMESTAY__DEMO", "perhaps")], "HOMESTAY__DEMO"),
        ];
        for (file, environment, named) in cases {
            let error = read(file, environment).unwrap_err();
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let settings = read(None, &[("HOMESTAY__ORDER__SECRET", "hunter2")]).unwrap();
        assert_eq!(settings.order.secret.expose(), "hunter2");
        let shown = format!(
            "{} {settings:?} {}",
            redacted_yaml(&settings),
            settings.order.secret
        );
        assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
        assert!(redacted_yaml(&settings).contains("close_after: 30m"));
    }
}
