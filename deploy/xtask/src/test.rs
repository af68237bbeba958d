//! `cargo xtask test`: what CI runs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One step: what it is called in the table, and the cargo command.
type Step = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const STEPS: [Step; 4] = [
    ("format", &["fmt", "--all", "--check"], &[]),
    (
        "lints",
        &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        &[],
    ),
    (
        "documentation",
        &["doc", "--workspace", "--no-deps"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    ),
    ("tests", &["test", "--workspace", "--no-fail-fast"], &[]),
];

/// Tests by outcome.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds what a line of the form `test result: ok. 3 passed; 0 failed; 1 ignored; …` counts.
    fn read(&mut self, line: &str) {
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let (_, counts) = result.split_once(". ").unwrap_or_default();
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// Runs all steps, also after one has failed, and ends with the time table and the counts.
pub fn run(arguments: &[String]) -> Result<(), String> {
    // All there is runs in the embedded mode so far, so the option changes nothing yet.
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--embedded") {
        return Err(format!("test takes no {unknown:?}, only --embedded"));
    }
    let mut counts = Counts::default();
    let mut table = Vec::new();
    for (name, command, environment) in STEPS {
        println!("== {name}: cargo {}", command.join(" "));
        let began = Instant::now();
        let ok = cargo(command, environment, &mut counts)?;
        table.push((name, began.elapsed(), ok));
    }
    println!();
    for (name, took, ok) in &table {
        println!(
            "{name:<16}{:>8}  {}",
            seconds(*took),
            if *ok { "ok" } else { "FAILED" }
        );
    }
    let total = table.iter().map(|(_, took, _)| *took).sum();
    println!("{:<16}{:>8}", "in all", seconds(total));
    let skipped = if counts.skipped == 0 {
        String::new()
    } else {
        format!(", {} skipped", counts.skipped)
    };
    println!("{} passed, {} failed{skipped}", counts.passed, counts.failed);
    let failed: Vec<&str> = table
        .iter()
        .filter(|(_, _, ok)| !ok)
        .map(|(name, _, _)| *name)
        .collect();
    if failed.is_empty() && counts.passed > 0 {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

/// Runs cargo in the workspace, passing its standard output on line by line; whether it succeeded.
fn cargo(arguments: &[&str], environment: &[(&str, &str)], counts: &mut Counts) -> Result<bool, String> {
    let failed = |error: std::io::Error| format!("cargo {}: {error}", arguments.join(" "));
    let mut child = Command::new(std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.map_err(failed)?;
            counts.read(&line);
            println!("{line}");
        }
    }
    Ok(child.wait().map_err(failed)?.success())
}

/// The workspace, two folders above this package.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_result_lines_only() {
        let mut counts = Counts::default();
        counts.read("running 3 tests");
        counts.read(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        counts.read("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        assert_eq!(
            counts,
            Counts {
                passed: 14,
                failed: 3,
                skipped: 1
            }
        );
    }
}
