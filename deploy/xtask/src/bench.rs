//! `cargo xtask bench`: builds the program for speed, and puts load on it.

use std::process::{Command, Stdio};

use crate::root;
use crate::test::OURS;

/// Builds with `--profile lto` and runs `deploy/bench`; further arguments are its own (`cargo xtask bench --help`).
pub fn run(arguments: &[String]) -> Result<(), String> {
    let build = [
        "build",
        "--profile",
        "lto",
        "--package",
        "homestay",
        "--package",
        "homestay-bench",
    ];
    let mut cargo = Command::new("cargo");
    for name in OURS {
        cargo.env_remove(name);
    }
    let built = cargo
        .args(build)
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !built.success() {
        return Err("the build failed".to_owned());
    }
    let target = target_folder()?;
    let status = Command::new(format!("{target}/lto/homestay-bench"))
        .args(["--program", &format!("{target}/lto/homestay")])
        .args(["--folder", &format!("{target}/bench")])
        .args([
            "--infra",
            &root().join("deploy/infra/infra").display().to_string(),
        ])
        .args([
            "--pgbench",
            &root()
                .join("deploy/bench/pgbench/create.sql")
                .display()
                .to_string(),
        ])
        .args(arguments)
        .current_dir(root())
        .status()
        .map_err(|error| format!("homestay-bench does not start: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("the bench ended with a failure".to_owned())
    }
}

/// Where cargo puts what it builds.
fn target_folder() -> Result<String, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rest = text
        .split("\"target_directory\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    rest.map(str::to_owned)
        .ok_or_else(|| "cargo metadata names no target_directory".to_owned())
}
