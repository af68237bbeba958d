//! Postgres, Redis and Kafka of this test's own: it stops them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Servers in a folder of their own, by `deploy/infra`. Gone, with their data, when dropped.
pub struct Engines {
    home: PathBuf,
    pub postgres: String,
    pub redis: String,
    pub kafka: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Engines {
    pub fn up(home: PathBuf) -> Self {
        std::fs::create_dir_all(&home).expect("a folder");
        let mut engines = Self {
            home,
            postgres: String::new(),
            redis: String::new(),
            kafka: String::new(),
        };
        engines.borrow_jars();
        let text = engines.infra(&["up"]);
        let value = |name: &str| {
            let line = text.lines().find_map(|line| {
                line.strip_prefix("export ")?
                    .strip_prefix(name)?
                    .strip_prefix('=')
            });
            line.unwrap_or_else(|| panic!("no {name} in {text}"))
                .trim_matches('\'')
                .to_owned()
        };
        engines.postgres = value("HOMESTAY_TEST_POSTGRES_URL");
        engines.redis = value("HOMESTAY_TEST_REDIS_URL");
        engines.kafka = value("HOMESTAY_TEST_KAFKA_BROKERS");
        engines
    }

    /// Kafka's jars are 54 MB from Maven Central: those of the usual servers will do.
    fn borrow_jars(&self) {
        let usual = root().join("target/infra/kafka-libs");
        if usual.join("complete").exists() && !self.home.join("kafka-libs").exists() {
            let copied = Command::new("cp").arg("-r").arg(usual).arg(&self.home).status();
            assert!(copied.expect("cp").success(), "the jars are copied");
        }
    }

    pub fn start(&self, name: &str) {
        // On a busy machine Kafka may not answer in the script's time; the second time its files are warm.
        if self.try_infra(&["up", name]).is_err() {
            self.infra(&["up", name]);
        }
    }

    pub fn stop(&self, name: &str) {
        self.infra(&["down", name]);
    }

    /// Everything Redis knows.
    pub fn flush_redis(&self) {
        let flushed = Command::new("redis-cli")
            .args(["-u", &self.redis, "FLUSHALL"])
            .output();
        assert!(flushed.expect("redis-cli").status.success(), "Redis is flushed");
    }

    /// One value from Postgres.
    pub fn value(&self, sql: &str) -> String {
        self.psql(&["-c", sql]).trim().to_owned()
    }

    /// What the independent check finds; empty if all is well.
    pub fn findings(&self) -> String {
        let check = root().join("deploy/bench/check.sql");
        self.psql(&["-F", " | ", "-f", &check.display().to_string()])
    }

    fn psql(&self, arguments: &[&str]) -> String {
        let output = Command::new("psql")
            .args(["-XtAq", "-v", "ON_ERROR_STOP=1", &self.postgres])
            .args(arguments)
            .output()
            .expect("psql");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn infra(&self, arguments: &[&str]) -> String {
        self.try_infra(arguments)
            .unwrap_or_else(|said| panic!("infra {arguments:?}: {said}"))
    }

    fn try_infra(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(root().join("deploy/infra/infra"))
            .args(arguments)
            .env("HOMESTAY_INFRA_HOME", &self.home)
            .stdin(Stdio::null())
            .output()
            .expect("deploy/infra");
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        let down = Command::new(root().join("deploy/infra/infra"))
            .args(["down", "--wipe"])
            .env("HOMESTAY_INFRA_HOME", &self.home)
            .stdin(Stdio::null())
            .output();
        if !down.is_ok_and(|output| output.status.success()) {
            eprintln!("the servers in {} are not all down", self.home.display());
        }
    }
}
