//! `cargo xtask`: the tasks of this repository. Standard library only, so that building it builds nothing else and changes no
//! features of what it builds.

mod bench;
mod counts;
mod engines;
mod fleet;
mod gateway;
mod prove;
mod test;

use std::path::Path;
use std::process::ExitCode;

/// A task: what it is called, what it does, and how. A failure is one line for the person who ran it.
struct Task {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

/// All tasks, in the order in which they are listed.
const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "[--embedded]",
        help: "format, clippy and rustdoc checks, all tests; then again on Postgres, Redis and Kafka, and the manifests",
        run: test::run,
    },
    Task {
        name: "fleet",
        arguments: "up|start|status|down",
        help: "every target as a process on Postgres, Redis and Kafka, behind nginx; up takes --replicas N, --release, \
               --profile NAME, --offset N",
        run: fleet::run,
    },
    Task {
        name: "bench",
        arguments: "[--settings …]",
        help: "load on embedded and fleet in the lto profile, with what it costs beside the targets",
        run: bench::run,
    },
    Task {
        name: "prove",
        arguments: "nights|payments",
        help: "at full size, with counts: no night is sold twice; every payment that races with expiry is a stay or goes back",
        run: prove::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", list());
        return ExitCode::SUCCESS;
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("xtask: there is no task {name:?}\n\n{}", list());
        return ExitCode::FAILURE;
    };
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask {name}: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> String {
    let mut text = "cargo xtask TASK\n\n".to_owned();
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        text.push_str(&format!("  {call:<28}{}\n", task.help));
    }
    text
}

/// Whether what is missing is a failure, and the build is thrown away afterwards.
fn ci() -> bool {
    variable("CI").is_some_and(|value| value == "true" || value == "1")
}

#[expect(
    clippy::disallowed_methods,
    reason = "tasks are no part of the program, and have no settings"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Names of all variables of our environment.
#[expect(
    clippy::disallowed_methods,
    reason = "tasks are no part of the program, and have no settings"
)]
fn names_of_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.collect()
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
