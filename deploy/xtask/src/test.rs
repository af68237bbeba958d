//! `cargo xtask test`: what has to hold before a change is merged. CI runs the same.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::root;

/// One command of cargo; its output goes through as it comes.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// Whether its standard output has results of tests to count.
    counted: bool,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        arguments: &["fmt", "--all", "--check"],
        environment: &[],
        counted: false,
    },
    Step {
        name: "clippy",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--keep-going",
            "--",
            "-D",
            "warnings",
        ],
        environment: &[],
        counted: false,
    },
    Step {
        name: "rustdoc",
        arguments: &["doc", "--workspace", "--no-deps", "--keep-going"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        counted: false,
    },
    Step {
        name: "tests",
        // Without --no-fail-fast the counts would be those up to the first failure.
        arguments: &["test", "--workspace", "--no-fail-fast"],
        environment: &[],
        counted: true,
    },
];

/// What `cargo run` tells this program about itself. Build scripts that watch these variables (ring's does) would run again.
pub const OURS: &[&str] = &[
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// Runs every step, also after one has failed, and ends with the times and, on the last line, the counts.
pub fn run(arguments: &[String]) -> Result<(), String> {
    for argument in arguments {
        // The default until there is a second mode to test.
        if argument != "--embedded" {
            return Err(format!("unknown argument {argument:?}; known is --embedded"));
        }
    }
    let mut counts = Counts::default();
    let mut outcomes = Vec::new();
    for step in STEPS {
        let start = Instant::now();
        let good = step.run(&mut counts)?;
        outcomes.push((step.name, good, start.elapsed()));
    }
    print!("{}", report(&outcomes, &counts));
    // Not one test run means that nothing was shown, whatever cargo says.
    if outcomes.iter().all(|outcome| outcome.1) && counts.failed == 0 && counts.passed > 0 {
        return Ok(());
    }
    // Not an Err with a sentence: the counts stay the last line.
    std::io::stdout().flush().ok();
    std::process::exit(1);
}

impl Step {
    /// Whether cargo was content.
    fn run(&self, counts: &mut Counts) -> Result<bool, String> {
        println!("\n== {}: cargo {}", self.name, self.arguments.join(" "));
        let mut command = Command::new("cargo");
        command
            .args(self.arguments)
            .envs(self.environment.iter().copied())
            .current_dir(root());
        command.stdin(Stdio::null());
        for name in OURS {
            command.env_remove(name);
        }
        if self.counted {
            command.stdout(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        if let Some(output) = child.stdout.take() {
            pass_through(BufReader::new(output), std::io::stdout(), counts)
                .map_err(|error| format!("the output of the tests is lost: {error}"))?;
        }
        let status = child.wait().map_err(|error| format!("cargo is lost: {error}"))?;
        Ok(status.success())
    }
}

/// Copies line by line, counting.
fn pass_through(mut from: impl BufRead, mut to: impl Write, counts: &mut Counts) -> std::io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        counts.take(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

/// What the test programs said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// Names of the tests that failed.
    names: Vec<String>,
}

impl Counts {
    /// Adds up lines such as `test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.03s`.
    fn take(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(results) = line.strip_prefix("test result: ") {
            for part in results.split(['.', ';']) {
                let mut words = part.split_whitespace();
                let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next())
                else {
                    continue;
                };
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.skipped += number,
                    _ => {}
                }
            }
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.names.push(name.to_owned());
        }
    }
}

fn report(outcomes: &[(&str, bool, Duration)], counts: &Counts) -> String {
    let mut text = String::from("\n");
    for name in &counts.names {
        text.push_str(&format!("failed: {name}\n"));
    }
    text.push_str(&format!("{:<10}{:<8}{:>9}\n", "step", "result", "time"));
    for (name, good, time) in outcomes {
        let result = if *good { "ok" } else { "FAILED" };
        text.push_str(&format!("{name:<10}{result:<8}{:>7.1} s\n", time.as_secs_f64()));
    }
    let all: Duration = outcomes.iter().map(|outcome| outcome.2).sum();
    text.push_str(&format!("{:<18}{:>7.1} s\n\n", "all", all.as_secs_f64()));
    text.push_str(&format!("{} passed, {} failed", counts.passed, counts.failed));
    if counts.skipped > 0 {
        text.push_str(&format!(", {} skipped", counts.skipped));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a_night_is_sold_once ... ok
test a_late_payment_is_refunded ... FAILED
test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.03s

test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    #[test]
    fn the_results_of_all_test_programs_are_added_up_and_passed_through() {
        let mut counts = Counts::default();
        let mut copy = Vec::new();

        pass_through(OUTPUT.as_bytes(), &mut copy, &mut counts).expect("memory");

        assert_eq!(copy, OUTPUT.as_bytes());
        assert_eq!((counts.passed, counts.failed, counts.skipped), (13, 1, 1));
        assert_eq!(counts.names, ["a_late_payment_is_refunded"]);
    }

    #[test]
    fn the_report_ends_with_the_counts_alone_on_a_line() {
        let counts = Counts {
            passed: 13,
            ..Counts::default()
        };
        let outcomes = [
            ("format", true, Duration::from_millis(900)),
            ("tests", false, Duration::from_secs(61)),
        ];

        let text = report(&outcomes, &counts);

        assert!(text.ends_with("\n\n13 passed, 0 failed\n"), "{text}");
        assert!(text.contains("tests     FAILED     61.0 s"), "{text}");
        let skipped = Counts { skipped: 2, ..counts };
        assert!(report(&outcomes, &skipped).ends_with("\n13 passed, 0 failed, 2 skipped\n"));
    }
}
