//! Secrets: given by the operator, or, in demo mode, made at the first start and kept in the data folder.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use homestay_clock::secret_token;
use serde::{Deserialize, Serialize};

use crate::settings::{Mode, Settings};

/// Name of the file in the data folder; readable by its owner only.
const FILE: &str = "secrets.json";
/// Shortest signing key: as long as the hash (RFC 7518 §3.2).
const SHORTEST: usize = 32;

/// The secrets in use.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Proves calls between our own processes.
    pub internal_credential: String,
    /// (kid, secret), the signing one first.
    pub jwt_keys: Vec<(String, String)>,
    /// Signs callbacks of the sandbox provider.
    pub sandbox: String,
}

/// The configured secrets, completed from the data folder in the embedded mode's demo. (In the distributed mode
/// [`crate::settings::check_needs`] says which have to be there.)
///
/// # Errors
/// A sentence naming the setting that is missing or too weak, or the file that cannot be read or written.
pub fn resolve(settings: &Settings) -> Result<Secrets, String> {
    let given = &settings.secrets;
    let credential = given.internal_credential.expose();
    let keys = check(settings)?;
    let complete = !credential.is_empty() && !keys.is_empty() && !given.sandbox.is_empty();
    let made = if complete || !settings.demo || settings.mode == Mode::Distributed {
        None
    } else {
        Some(kept(&settings.data_dir)?)
    };
    let or_made = |given: &str, pick: fn(&Secrets) -> &String| {
        if given.is_empty() {
            made.as_ref().map(|made| pick(made).clone()).unwrap_or_default()
        } else {
            given.to_owned()
        }
    };
    Ok(Secrets {
        internal_credential: or_made(credential, |made| &made.internal_credential),
        sandbox: or_made(given.sandbox.expose(), |made| &made.sandbox),
        jwt_keys: if keys.is_empty() {
            made.map(|made| made.jwt_keys).unwrap_or_default()
        } else {
            keys
        },
    })
}

/// Checks what is configured, without the data folder; the signing keys.
///
/// # Errors
/// As [`resolve`].
pub fn check(settings: &Settings) -> Result<Vec<(String, String)>, String> {
    let given = &settings.secrets;
    let mut keys = Vec::new();
    for pair in given
        .jwt_keys
        .expose()
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        match pair.split_once(':') {
            Some((kid, _)) if keys.iter().any(|(known, _)| known == kid) => {
                return Err(format!("secrets.jwt_keys: two keys are called {kid}"));
            }
            Some((kid, secret)) if !kid.is_empty() && secret.len() >= SHORTEST => {
                keys.push((kid.to_owned(), secret.to_owned()));
            }
            _ => {
                return Err(format!(
                    "secrets.jwt_keys: each must be kid:secret with at least {SHORTEST} characters"
                ));
            }
        }
    }
    let credential = given.internal_credential.expose();
    if !credential.is_empty()
        && (credential.len() < SHORTEST || !credential.bytes().all(|b| b.is_ascii_graphic()))
    {
        return Err(format!(
            "secrets.internal_credential: must be at least {SHORTEST} visible ASCII characters"
        ));
    }
    if settings.mode == Mode::Embedded && !settings.demo && (credential.is_empty() || keys.is_empty()) {
        let missing = if credential.is_empty() {
            "internal_credential"
        } else {
            "jwt_keys"
        };
        return Err(format!(
            "secrets.{missing}: is not set (HOMESTAY__SECRETS__{}); only demo: true makes its own",
            missing.to_uppercase()
        ));
    }
    Ok(keys)
}

/// The secrets kept in the data folder, made if there are none.
fn kept(data_dir: &Path) -> Result<Secrets, String> {
    let path = data_dir.join(FILE);
    let failed = |what: &str, cause: &dyn std::fmt::Display| format!("{what} {}: {cause}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|_| failed("no secrets of ours in", &"not JSON")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = Secrets {
                internal_credential: secret_token(),
                jwt_keys: vec![("1".to_owned(), secret_token())],
                sandbox: secret_token(),
            };
            // Whole or not at all: a start that is killed here must not leave half a file.
            let draft = data_dir.join(format!("{FILE}.new"));
            let text = serde_json::to_string_pretty(&made).map_err(|error| failed("cannot write", &error))?;
            let _ = std::fs::remove_file(&draft);
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)
                .and_then(|mut file| {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()
                })
                .and_then(|()| std::fs::rename(&draft, &path))
                .map_err(|error| failed("cannot write", &error))?;
            Ok(made)
        }
        Err(error) => Err(failed("cannot read", &error)),
    }
}
