//! The engines of `deploy/infra/infra`: brought up for a task, and taken down with it, however it ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::root;

/// An engine by the name that `infra` has for it, and the variable with its address.
pub const POSTGRES: (&str, &str) = ("postgres", "HOMESTAY_TEST_POSTGRES_URL");
/// See [`POSTGRES`].
pub const REDIS: (&str, &str) = ("redis", "HOMESTAY_TEST_REDIS_URL");
/// See [`POSTGRES`].
pub const KAFKA: (&str, &str) = ("kafka", "HOMESTAY_TEST_KAFKA_BROKERS");
/// Where the servers for tests are: those that `deploy/infra/infra up` starts.
pub const OF_TESTS: &str = "target/infra";
/// All of them, in the order in which they are started.
pub const ALL: [(&str, &str); 3] = [POSTGRES, REDIS, KAFKA];

/// `HOMESTAY_TEST_*` of the engines that run.
pub type Addresses = BTreeMap<String, String>;

/// The script, started from the folder of the workspace, for the servers in this folder below it.
pub fn infra(home: &str) -> Command {
    let mut command = Command::new("deploy/infra/infra");
    command.env("HOMESTAY_INFRA_HOME", root().join(home));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Brings all engines up. Gives the addresses of those that run, the names of those that did not before, and the sentences
/// about what could not be had; everything that `infra` says goes through to the terminal.
pub fn up(home: &str) -> Result<(Addresses, Vec<&'static str>, Vec<String>), String> {
    let before = running(home)?;
    let fresh = stopped(&before);
    let mut child = infra(home)
        .arg("up")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("deploy/infra/infra does not start: {error}"))?;
    let mut complaints = Vec::new();
    if let Some(output) = child.stderr.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            eprintln!("{line}");
            let told = line.strip_prefix("infra: ").unwrap_or(&line);
            if !["is up", "is running", "fetching", "installing"]
                .iter()
                .any(|fine| told.contains(fine))
            {
                complaints.push(told.to_owned());
            }
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    Ok((
        addresses(&String::from_utf8_lossy(&output.stdout)),
        fresh,
        complaints,
    ))
}

/// Where a program is that others here start; installed if it is missing and can be.
pub fn program(home: &str, name: &str) -> Option<String> {
    let output = infra(home)
        .args(["need", name])
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !path.is_empty()).then_some(path)
}

/// The engines that run, whoever started them.
pub fn running(home: &str) -> Result<Addresses, String> {
    let output = infra(home)
        .arg("env")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("deploy/infra/infra does not start: {error}"))?;
    Ok(addresses(&String::from_utf8_lossy(&output.stdout)))
}

/// Those of [`ALL`] that have no address.
pub fn stopped(addresses: &Addresses) -> Vec<&'static str> {
    let down = ALL
        .iter()
        .filter(|(_, variable)| !addresses.contains_key(*variable));
    down.map(|(name, _)| *name).collect()
}

/// Reads lines such as `export NAME='value'`.
fn addresses(text: &str) -> Addresses {
    text.lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

/// Takes engines down when it is dropped, and also when this process dies in any other way: a shell outside our process group
/// waits for the end of a pipe.
pub struct TakenDown {
    shell: Option<Child>,
}

impl TakenDown {
    /// For the engines of tests with these names.
    pub fn with_us(names: &[&str]) -> Result<Self, String> {
        if names.is_empty() {
            return Ok(Self { shell: None });
        }
        let script = "trap '' INT TERM HUP; cat >/dev/null; exec deploy/infra/infra down \"$@\"";
        let shell = Command::new("setsid")
            .args(["bash", "-c", script, "infra"])
            .args(names)
            .env("HOMESTAY_INFRA_HOME", root().join(OF_TESTS))
            .current_dir(root())
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("setsid does not start: {error}"))?;
        Ok(Self { shell: Some(shell) })
    }
}

impl Drop for TakenDown {
    fn drop(&mut self) {
        if let Some(shell) = &mut self.shell {
            drop(shell.stdin.take());
            if let Err(error) = shell.wait() {
                eprintln!("xtask: the engines may still run ({error}): deploy/infra/infra down");
            }
        }
    }
}

/// The program that stands in for Kafka where none can be had, with the variable in which tests look for it: they start one
/// each, with the topics they need. An earlier `cargo test --workspace` has built it beside this one.
pub fn stand_in() -> Option<(String, String)> {
    let own = std::env::current_exe().ok()?;
    let program = own.parent()?.join("examples/mock_kafka");
    program.exists().then(|| {
        (
            "HOMESTAY_TEST_KAFKA_MOCK".to_owned(),
            program.display().to_string(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_infra_prints_is_read_and_what_is_not_there_is_named() {
        let text = "export HOMESTAY_TEST_POSTGRES_URL='postgres://a:b=c@127.0.0.1:15432/postgres'\n\
                    export HOMESTAY_TEST_REDIS_URL='redis://127.0.0.1:16379'\n";

        let read = addresses(text);

        assert_eq!(
            read["HOMESTAY_TEST_POSTGRES_URL"],
            "postgres://a:b=c@127.0.0.1:15432/postgres"
        );
        assert_eq!(stopped(&read), ["kafka"]);
    }
}
