//! A copy of a stopped system's databases, to be damaged and audited.

use std::process::Command;
use std::sync::Arc;

use sqlx::{AnyConnection, Connection};

use super::fleet::{DOMAINS, Fleet};
use super::server::{admin, drop_database};
use super::{Place, USUAL, command};

pub enum Copy {
    Folder(tempfile::TempDir),
    Database { fleet: Arc<Fleet>, name: String },
}

impl Place {
    pub async fn copy(&self) -> Copy {
        match self {
            Self::Folder(original) => {
                let copy = tempfile::tempdir().expect("a folder");
                // With SQLite's logs, which a system that was stopped may leave.
                for file in std::fs::read_dir(original.path()).expect("a folder") {
                    let file = file.expect("a file");
                    if file.file_name().to_string_lossy().contains(".db") {
                        std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
                    }
                }
                Copy::Folder(copy)
            }
            Self::Servers(fleet) => {
                let ground = &fleet.ground;
                let name = format!("{}_copy", ground.name);
                let sql = format!("CREATE DATABASE {name} TEMPLATE {}", ground.name);
                admin(&ground.engines.postgres, sql).await.expect("a copy");
                let fleet = fleet.clone();
                Copy::Database { fleet, name }
            }
        }
    }
}

impl Copy {
    /// A connection whose tables are those of a domain.
    pub async fn connect(&self, domain: &str) -> AnyConnection {
        sqlx::any::install_default_drivers();
        let url = match self {
            Self::Folder(folder) => {
                format!(
                    "sqlite://{}",
                    folder.path().join(format!("{domain}.db")).display()
                )
            }
            Self::Database { fleet, name } => {
                let url = fleet.ground.admin_url().replace(&fleet.ground.name, name);
                format!("{url}?{}", schema(domain))
            }
        };
        AnyConnection::connect(&url).await.expect("a connection")
    }

    /// Whether `homestay audit` finds nothing, and what it says.
    pub fn audit(&self) -> (bool, String) {
        let mut command: Command = match self {
            Self::Folder(folder) => command(folder.path(), USUAL).into_std(),
            Self::Database { fleet, name } => {
                let mut command = fleet.ground.command(&[]);
                for domain in DOMAINS {
                    // The role's own search_path is of the original.
                    let url = fleet.ground.url(domain).replace(&fleet.ground.name, name);
                    let key = format!("HOMESTAY__DATABASES__{}", domain.to_uppercase());
                    command.env(key, format!("{url}?{}", schema(domain)));
                }
                command
            }
        };
        let output = command
            .args(["audit", "--settle", "0s"])
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Self::Database { fleet, name } = self {
            drop_database(&fleet.ground.engines.postgres, name);
        }
    }
}

fn schema(domain: &str) -> String {
    format!("options[search_path]=homestay_test_{domain}")
}
