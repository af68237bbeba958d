//! `cargo xtask`: the project's tasks. Standard library only, so that building it changes no features of the program.

mod test;

use std::process::ExitCode;

/// A task: name, arguments, what it does, and the function that does it.
type Task = (
    &'static str,
    &'static str,
    &'static str,
    fn(&[String]) -> Result<(), String>,
);

const TASKS: [Task; 1] = [(
    "test",
    "[--embedded]",
    "format, lints, documentation and every test; ends with the counts",
    test::run,
)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = arguments
        .first()
        .and_then(|name| TASKS.iter().find(|task| task.0 == name));
    let Some((_, _, _, run)) = task else {
        eprintln!("cargo xtask TASK, where TASK is one of\n");
        for (name, usage, help, _) in TASKS {
            eprintln!("  {:<24}{help}", format!("{name} {usage}"));
        }
        return if arguments.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    };
    match run(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
