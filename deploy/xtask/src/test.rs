//! `cargo xtask test`: what has to hold before a change is merged. CI runs the same.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::counts::{Counts, pass_through};
use crate::engines::{self, Addresses, KAFKA, TakenDown};
use crate::{ci, root};

/// One command of cargo; its output goes through as it comes.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// Whether its standard output has results of tests to count.
    counted: bool,
}

const CHECKS: &[Step] = &[
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
        name: "no kafka",
        arguments: &["check", "--workspace", "--no-default-features", "--keep-going"],
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
        name: "embedded",
        // Without --no-fail-fast the counts would be those up to the first failure.
        arguments: &[
            "test",
            "--workspace",
            "--no-fail-fast",
            "--",
            // These have nothing to run on, and would count as passed.
            "--skip",
            "distributed::",
            "--skip",
            "processes::",
            "--skip",
            "with_processes_and_servers_failing",
        ],
        environment: &[],
        counted: true,
    },
];

/// The same programs again, which read the addresses of the engines: nothing is built for it. Examples in the documentation
/// know no engines.
const DISTRIBUTED: Step = Step {
    name: "distributed",
    arguments: &[
        "test",
        "--workspace",
        "--no-fail-fast",
        "--lib",
        "--bins",
        "--tests",
        "--",
        // The flows of the other mode were played before.
        "--skip",
        "embedded::",
    ],
    environment: &[],
    counted: true,
};

/// What books, once more on Postgres, with the statements that SQLite has too: those are what the ones for Postgres alone have
/// to agree with.
const PLAIN: Step = Step {
    name: "plain",
    arguments: &[
        "test",
        "--workspace",
        "--no-fail-fast",
        "--lib",
        "--",
        "tests::book",
        "tests::resolving",
        "tests::sweep",
    ],
    environment: &[("HOMESTAY_TEST_POSTGRES_PLAIN", "1")],
    counted: true,
};

const MANIFESTS: &str = "manifests";

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

/// How a step ended.
struct Outcome {
    name: &'static str,
    end: End,
    time: Duration,
    /// Of steps that run tests.
    counts: Option<Counts>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Good,
    Bad,
    /// It could not be done here, and need not be.
    Skipped,
}

/// Runs every step, also after one has failed, and ends with the times and, on the last line, the counts.
pub fn run(arguments: &[String]) -> Result<(), String> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--embedded") {
        return Err(format!("unknown argument {unknown:?}; known is --embedded"));
    }
    let mut outcomes = Vec::new();
    let mut remarks = Vec::new();
    if ci() {
        space();
    }
    for step in CHECKS {
        outcomes.push(step.run(&Addresses::new())?);
    }
    if arguments.is_empty() {
        for (name, step) in [
            (DISTRIBUTED.name, distributed as fn(&mut _) -> _),
            (MANIFESTS, manifests),
        ] {
            let start = Instant::now();
            outcomes.extend(step(&mut remarks).unwrap_or_else(|error| {
                remarks.push(error);
                vec![Outcome {
                    name,
                    end: End::Bad,
                    time: start.elapsed(),
                    counts: None,
                }]
            }));
        }
    }
    if ci() {
        space();
    }
    print!("{}", report(&outcomes, &remarks));
    if green(&outcomes) {
        return Ok(());
    }
    // Not an Err with a sentence: the counts stay the last line.
    std::io::stdout().flush().ok();
    std::process::exit(1);
}

/// Not one test run means that nothing was shown, whatever cargo says.
fn green(outcomes: &[Outcome]) -> bool {
    let tests = |outcome: &Outcome| {
        outcome
            .counts
            .as_ref()
            .is_none_or(|c| c.failed == 0 && c.passed > 0)
    };
    outcomes
        .iter()
        .all(|outcome| outcome.end != End::Bad && (outcome.end == End::Skipped || tests(outcome)))
}

/// The tests on real engines, which are there for no longer than this.
fn distributed(remarks: &mut Vec<String>) -> Result<Vec<Outcome>, String> {
    println!("\n== {}: bringing the engines up", DISTRIBUTED.name);
    let start = Instant::now();
    let _down = TakenDown::with_us(&engines::stopped(&engines::running(engines::OF_TESTS)?))?;
    let (mut addresses, _, complaints) = engines::up(engines::OF_TESTS)?;
    let bad = |time| Outcome {
        name: DISTRIBUTED.name,
        end: End::Bad,
        time,
        counts: None,
    };
    let missing = engines::stopped(&addresses);
    remarks.extend(complaints.into_iter().filter(|_| !missing.is_empty()));
    if missing.iter().any(|name| *name != KAFKA.0) {
        remarks.push(format!("no tests on engines: {} is missing", missing.join(", ")));
        return Ok(vec![bad(start.elapsed())]);
    }
    if !missing.is_empty() {
        let why_not = if ci() {
            "with CI=true a real Kafka is required"
        } else if let Some((variable, program)) = engines::stand_in() {
            remarks.push(
                "NOT on a real Kafka: librdkafka's mock cluster stood in for it, and no faults were tried"
                    .to_owned(),
            );
            addresses.insert(variable, program);
            ""
        } else {
            "there is no Kafka, and its stand-in (the example mock_kafka of pkg/bus) is not built"
        };
        if !why_not.is_empty() {
            remarks.push(format!("no tests on engines: {why_not}"));
            return Ok(vec![bad(start.elapsed())]);
        }
    }
    match engines::program(engines::OF_TESTS, "nginx") {
        Some(nginx) => addresses.insert("HOMESTAY_TEST_NGINX".to_owned(), nginx),
        None => {
            remarks.push("no tests on engines: nginx is missing".to_owned());
            return Ok(vec![bad(start.elapsed())]);
        }
    };
    if missing.is_empty() {
        addresses.insert("HOMESTAY_TEST_FAULTS".to_owned(), "1".to_owned());
    }
    let mut outcome = DISTRIBUTED.run(&addresses)?;
    outcome.time = start.elapsed();
    Ok(vec![outcome, PLAIN.run(&addresses)?])
}

/// Whether the Kubernetes API would take what is in k8s/: rendered, and held against its schemas.
fn manifests(remarks: &mut Vec<String>) -> Result<Vec<Outcome>, String> {
    println!("\n== {MANIFESTS}: k8s/validate");
    let start = Instant::now();
    let status = Command::new("k8s/validate")
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("k8s/validate does not start: {error}"))?;
    let end = match status.code() {
        Some(0) => End::Good,
        // What it needs is missing.
        Some(3) if !ci() => End::Skipped,
        _ => End::Bad,
    };
    if status.code() == Some(3) {
        remarks.push(
            "manifests NOT validated: kustomize or kubernetes-validate is missing, see above".to_owned(),
        );
    }
    Ok(vec![Outcome {
        name: MANIFESTS,
        end,
        time: start.elapsed(),
        counts: None,
    }])
}

/// What is left of the disk, and how much of it is ours: a full one ends builds with strange errors.
fn space() {
    println!("\n== disk");
    let target = std::env::current_exe().ok();
    let target = target.as_deref().and_then(Path::parent).and_then(Path::parent);
    let target = target.unwrap_or_else(|| root());
    for (program, flags) in [("df", "-h"), ("du", "-sh")] {
        // Only told: it is no failure not to know.
        Command::new(program).arg(flags).arg(target).status().ok();
    }
}

impl Step {
    /// Runs it with these engines, and with none other.
    fn run(&self, engines: &Addresses) -> Result<Outcome, String> {
        println!("\n== {}: cargo {}", self.name, self.arguments.join(" "));
        let start = Instant::now();
        let mut command = Command::new("cargo");
        command
            .args(self.arguments)
            .envs(self.environment.iter().copied())
            .current_dir(root());
        command.stdin(Stdio::null());
        for name in OURS {
            command.env_remove(name);
        }
        for (_, variable) in engines::ALL {
            command.env_remove(variable);
        }
        command.envs(engines);
        if ci() {
            // Half the size of a build that is thrown away.
            command.env("CARGO_INCREMENTAL", "0");
        }
        if self.counted {
            command.stdout(Stdio::piped());
        }
        let mut child = command
            .spawn()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        let mut counts = self.counted.then(Counts::default);
        if let (Some(counts), Some(output)) = (&mut counts, child.stdout.take()) {
            pass_through(BufReader::new(output), std::io::stdout(), counts)
                .map_err(|error| format!("the output of the tests is lost: {error}"))?;
        }
        let status = child.wait().map_err(|error| format!("cargo is lost: {error}"))?;
        Ok(Outcome {
            name: self.name,
            end: if status.success() { End::Good } else { End::Bad },
            time: start.elapsed(),
            counts,
        })
    }
}

fn report(outcomes: &[Outcome], remarks: &[String]) -> String {
    let mut text = String::from("\n");
    let mut all = Counts::default();
    for outcome in outcomes {
        if let Some(counts) = &outcome.counts {
            all.add(counts);
            for failure in &counts.failures {
                text.push_str(&format!("failed: {} ({})\n", failure.name, outcome.name));
                for line in failure.said() {
                    text.push_str(&format!("    {line}\n"));
                }
            }
        }
    }
    for remark in remarks {
        text.push_str(&format!("note: {remark}\n"));
    }
    text.push_str(&format!("{:<13}{:<8}{:>9}\n", "step", "result", "time"));
    for outcome in outcomes {
        let result = match outcome.end {
            End::Good => "ok",
            End::Bad => "FAILED",
            End::Skipped => "skipped",
        };
        let time = outcome.time.as_secs_f64();
        let counts = outcome
            .counts
            .as_ref()
            .map_or(String::new(), |counts| format!("   {counts}"));
        text.push_str(&format!("{:<13}{result:<8}{time:>7.1} s{counts}\n", outcome.name));
    }
    let time: Duration = outcomes.iter().map(|outcome| outcome.time).sum();
    text.push_str(&format!("{:<21}{:>7.1} s\n\n{all}\n", "all", time.as_secs_f64()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Failure;

    fn outcome(name: &'static str, end: End, counts: Option<Counts>) -> Outcome {
        Outcome {
            name,
            end,
            time: Duration::from_secs(61),
            counts,
        }
    }

    fn passed(passed: u64) -> Option<Counts> {
        Some(Counts {
            passed,
            ..Counts::default()
        })
    }

    #[test]
    fn the_report_names_each_step_and_what_was_missing_and_ends_with_the_counts_of_all() {
        let failed = Counts {
            failed: 1,
            failures: vec![Failure::of(
                "a_late_payment_is_refunded",
                &["thread 'x' panicked at a.rs:1:1:", "too late"],
            )],
            ..Counts::default()
        };
        let outcomes = [
            outcome("format", End::Good, None),
            outcome("embedded", End::Good, passed(13)),
            outcome("distributed", End::Bad, Some(failed)),
            outcome("manifests", End::Skipped, None),
        ];

        let text = report(&outcomes, &["NOT on a real Kafka".to_owned()]);

        assert!(text.ends_with("\n\n13 passed, 1 failed\n"), "{text}");
        assert!(
            text.contains("\nembedded     ok         61.0 s   13 passed, 0 failed\n"),
            "{text}"
        );
        assert!(text.contains(
            "failed: a_late_payment_is_refunded (distributed)\n    thread 'x' panicked at a.rs:1:1:\n    too late\n"
        ));
        assert!(text.contains("manifests    skipped    61.0 s\n"), "{text}");
        assert!(text.contains("note: NOT on a real Kafka\n"));
    }

    #[test]
    fn a_run_is_green_when_no_step_failed_and_every_one_with_tests_ran_some() {
        let skipped = || outcome("manifests", End::Skipped, None);
        assert!(green(&[outcome("embedded", End::Good, passed(1)), skipped()]));
        assert!(!green(&[outcome("embedded", End::Good, passed(0))]));
        assert!(!green(&[
            outcome("embedded", End::Good, passed(1)),
            outcome("format", End::Bad, None)
        ]));
    }
}
