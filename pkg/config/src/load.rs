use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Value, ValueKind};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::PREFIX;
use crate::node::Node;

/// Why there are no settings. The text is one line for the person who has to correct them.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is unknown or missing, or its value is bad.
    #[error("{key}: {what}{}", .origin.as_ref().map(|origin| format!(" (set in {origin})")).unwrap_or_default())]
    Setting {
        /// Full path of the key, such as `order.close_after`.
        key: String,
        /// What is wrong with it.
        what: String,
        /// Name of the environment variable, or path of the file, that set it.
        origin: Option<String>,
    },
    /// The file is missing or is not YAML, or so are the defaults.
    #[error("cannot read the settings: {0}")]
    Unreadable(String),
}

impl ConfigError {
    /// A value that its type allows but a rule does not; `what` is put after the key.
    #[must_use]
    pub fn bad(key: &str, what: &str) -> Self {
        Self::Setting {
            key: key.to_owned(),
            what: what.to_owned(),
            origin: None,
        }
    }

    /// The setting's full name, such as `order.close_after`; empty if the settings could not be read at all.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Setting { key, .. } => key,
            Self::Unreadable(_) => "",
        }
    }
}

/// Reads settings: `defaults_yaml`, over it `file`, over both the variables `HOMESTAY__SECTION__KEY` of `environment` (see
/// [`environment`](crate::environment)); other variables are left alone.
///
/// Variables are read as what the target wants: a number, `true` or `false`, a list with commas between its items. `T` and its
/// sections need `#[serde(deny_unknown_fields)]`, and cannot use `#[serde(flatten)]`.
///
/// # Errors
/// [`ConfigError`], naming the key and where it was set, or the file.
pub fn load<T: DeserializeOwned>(
    defaults_yaml: &str,
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let variables = Variables::collect(environment)?;
    let mut builder = Config::builder().add_source(File::from_str(defaults_yaml, FileFormat::Yaml));
    if let Some(path) = file {
        builder = builder.add_source(File::from(path).format(FileFormat::Yaml));
    }
    let tree = builder
        .add_source(variables.source())
        .build()
        .map_err(|error| ConfigError::Unreadable(error.to_string()))?
        .cache;
    serde_path_to_error::deserialize(Node(tree.clone())).map_err(|error| {
        let place: Vec<Segment> = error.path().iter().cloned().collect();
        let error = error.into_inner();
        let origin = variables
            .naming(&dotted(&place))
            .or_else(|| origin(&tree, &place));
        let mut key = dotted(&place);
        if let Some(field) = error.missing {
            key = if key.is_empty() {
                field.to_owned()
            } else {
                format!("{key}.{field}")
            };
        }
        ConfigError::Setting {
            key,
            what: error.what,
            // What is missing was set nowhere.
            origin: origin.filter(|_| error.missing.is_none()),
        }
    })
}

/// The environment's settings: key to the variable's name and value.
struct Variables(BTreeMap<String, (String, String)>);

impl Variables {
    fn collect(environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in environment {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            let key = rest.to_lowercase().replace("__", ".");
            let well_formed = rest
                .split("__")
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            if !well_formed {
                return Err(ConfigError::Setting {
                    key,
                    what: "unknown key".to_owned(),
                    origin: Some(name),
                });
            }
            variables.insert(key, (name, value));
        }
        Ok(Self(variables))
    }

    fn source(&self) -> Environment {
        let values: HashMap<_, _> = self.0.values().cloned().collect();
        Environment::with_prefix(PREFIX.trim_end_matches('_'))
            .prefix_separator("__")
            .separator("__")
            .source(Some(values.into_iter().collect()))
    }

    /// The variable that set `key`, an item of it, or a part of it where there are no parts.
    fn naming(&self, key: &str) -> Option<String> {
        let within = |whole: &str, part: &str| {
            part.strip_prefix(whole)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.0
            .iter()
            .find(|(own, _)| within(own, key))
            .or_else(|| self.0.iter().find(|(own, _)| !key.is_empty() && within(key, own)))
            .map(|(_, (name, _))| name.clone())
    }
}

fn dotted(place: &[Segment]) -> String {
    let mut text = String::new();
    for segment in place {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// The file that set the value at `place`; nothing for the defaults.
fn origin(tree: &Value, place: &[Segment]) -> Option<String> {
    let mut at = tree;
    for segment in place {
        at = match (&at.kind, segment) {
            (ValueKind::Table(table), Segment::Map { key }) => table.get(key)?,
            (ValueKind::Array(items), Segment::Seq { index }) => items.get(*index)?,
            _ => break,
        };
    }
    // A section is merged from all sources and has no origin of its own: one of what is in it will do.
    while let (None, ValueKind::Table(table)) = (at.origin(), &at.kind) {
        at = table.values().next()?;
    }
    at.origin().map(str::to_owned)
}
