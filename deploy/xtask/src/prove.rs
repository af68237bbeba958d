//! `cargo xtask prove`: what the tests show on a small scale, at full size, with its counts.

use std::process::{Command, Stdio};

use crate::engines::{self, Addresses, TakenDown};
use crate::root;
use crate::test::OURS;

/// Runs what is named: `nights`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    match arguments {
        [what] if what == "nights" => nights(),
        _ => Err("one of: nights".to_owned()),
    }
}

/// 64 clients on one range, 200 rounds, and 100,000 attempts on random ranges, over HTTP: against one process, and against the
/// fleet. Then the same check over a database without key and guard, where it has to find overlaps.
fn nights() -> Result<(), String> {
    let _down = TakenDown::with_us(&engines::stopped(&engines::running(engines::OF_TESTS)?))?;
    let (mut addresses, _, complaints) = engines::up(engines::OF_TESTS)?;
    for complaint in complaints {
        eprintln!("xtask prove: {complaint}");
    }
    let missing = engines::stopped(&addresses);
    if !missing.is_empty() {
        return Err(format!("there is no {}", missing.join(", ")));
    }
    let nginx = engines::program(engines::OF_TESTS, "nginx").ok_or("nginx is missing")?;
    addresses.insert("HOMESTAY_TEST_NGINX".to_owned(), nginx);
    addresses.insert("HOMESTAY_TEST_FULL_SIZE".to_owned(), "1".to_owned());
    let flow = "nights::no_night_is_sold_twice_however_many_want_it";
    for mode in ["embedded", "distributed"] {
        println!("\n== {mode}");
        tests(
            &addresses,
            &["--package", "homestay", "--test", "flows"],
            &format!("{mode}::{flow}"),
        )?;
    }
    println!("\n== the check without key and guard");
    tests(
        &addresses,
        &["--package", "travel-rpc", "--lib"],
        "tests::contention::without_key_and_guard_the_check_finds_overlaps",
    )
}

/// One test, in the profile for speed, with its output.
fn tests(environment: &Addresses, of: &[&str], name: &str) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    for variable in OURS {
        cargo.env_remove(variable);
    }
    let status = cargo
        .args(["test", "--release"])
        .args(of)
        .args(["--", "--exact", "--nocapture", name])
        .envs(environment)
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed"))
    }
}
