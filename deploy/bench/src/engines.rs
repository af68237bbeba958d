//! Postgres, Redis and Kafka of the run's own, by `deploy/infra`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::output;
use crate::store::psql;

/// Servers of our own. Down when dropped; their data stays in the folder.
pub struct Engines {
    script: PathBuf,
    home: PathBuf,
    pub postgres: String,
    pub redis: String,
    pub kafka: String,
    /// Whether Postgres counts statements.
    pub statements: bool,
}

impl Engines {
    /// Brings them up, with pg_stat_statements where the server has it.
    ///
    /// # Errors
    /// What the script says.
    pub fn up(script: &Path, home: &Path) -> Result<Self, String> {
        let mut engines = Self {
            script: script.to_owned(),
            home: home.to_owned(),
            postgres: String::new(),
            redis: String::new(),
            kafka: String::new(),
            statements: false,
        };
        engines.read(&engines.call(&["up"])?)?;
        // Only a restart loads it.
        psql(
            &engines.postgres,
            "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
        )?;
        engines.call(&["down", "postgres"])?;
        if engines.call(&["up", "postgres"]).is_err() {
            return Err("Postgres does not start with pg_stat_statements".to_owned());
        }
        engines.statements = psql(
            &engines.postgres,
            "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
        )
        .is_ok();
        Ok(engines)
    }

    /// A line about the server's settings.
    ///
    /// # Errors
    /// Those of psql.
    pub fn describe(&self) -> Result<String, String> {
        let show = |name: &str| psql(&self.postgres, &format!("SHOW {name}"));
        Ok(format!(
            "Postgres {}: fsync {}, synchronous_commit {}, wal_sync_method {}, shared_buffers {}{}",
            show("server_version")?,
            show("fsync")?,
            show("synchronous_commit")?,
            show("wal_sync_method")?,
            show("shared_buffers")?,
            if self.statements {
                ", pg_stat_statements"
            } else {
                ""
            }
        ))
    }

    fn call(&self, arguments: &[&str]) -> Result<String, String> {
        output(
            Command::new(&self.script)
                .args(arguments)
                .env("HOMESTAY_INFRA_HOME", &self.home),
        )
    }

    /// Reads `export NAME='value'` lines.
    fn read(&mut self, text: &str) -> Result<(), String> {
        let value = |name: &str| {
            text.lines()
                .find_map(|line| {
                    line.strip_prefix("export ")?
                        .strip_prefix(name)?
                        .strip_prefix('=')
                })
                .map(|value| value.trim_matches('\'').to_owned())
                .ok_or_else(|| format!("deploy/infra has not printed {name}"))
        };
        self.postgres = value("HOMESTAY_TEST_POSTGRES_URL")?;
        self.redis = value("HOMESTAY_TEST_REDIS_URL")?;
        self.kafka = value("HOMESTAY_TEST_KAFKA_BROKERS")?;
        Ok(())
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        if let Err(sentence) = self.call(&["down"]) {
            eprintln!("bench: {sentence}");
        }
    }
}
