//! `cargo xtask`: the tasks of this repository. Standard library only, so that building it builds nothing else and changes no
//! features of what it builds.

mod bench;
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
        help: "format, clippy and rustdoc checks, then all tests; ends with times and counts",
        run: test::run,
    },
    Task {
        name: "bench",
        arguments: "[--settings …]",
        help: "load on embedded and fleet in the lto profile, with what it costs beside the targets",
        run: bench::run,
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
        text.push_str(&format!("  {call:<24}{}\n", task.help));
    }
    text
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
