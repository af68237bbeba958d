//! `cargo xtask prove`: what the tests show on a small scale, at full size, with its counts.

use std::io::BufReader;
use std::process::{Command, Stdio};

use crate::counts::{Counts, pass_through};
use crate::engines::{self, Addresses, TakenDown};
use crate::root;
use crate::test::OURS;

/// A proof: its name, the flow that is played in both modes, and a test of a crate that goes with it, on its own database.
struct Proof {
    name: &'static str,
    flow: &'static str,
    also: &'static str,
    package: &'static str,
    test: &'static str,
    /// Whether the test is about Postgres.
    on_engines: bool,
}

const PROOFS: [Proof; 2] = [
    // 64 clients on one range, 200 rounds, and 100,000 attempts on random ranges, over HTTP. Then the same check over a database
    // without key and guard, where it has to find overlaps.
    Proof {
        name: "nights",
        flow: "nights::no_night_is_sold_twice_however_many_want_it",
        also: "the check without key and guard",
        package: "travel-rpc",
        test: "tests::contention::without_key_and_guard_the_check_finds_overlaps",
        on_engines: true,
    },
    // 2,000 payments around the expiry of their orders, while processes are killed. Then every interleaving that dice make of
    // callbacks, jobs, cancellations, changes, crashes and outages.
    Proof {
        name: "payments",
        flow: "race::payments_around_expiry_are_confirmed_or_refunded_whatever_is_killed",
        also: "random ways through the states of an order",
        package: "order-rpc",
        test: "tests::random::at_rest_every_captured_cent_is_kept_or_back_whatever_happened",
        on_engines: false,
    },
];

/// Runs what is named.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let named = |proof: &&Proof| matches!(arguments, [name] if name == proof.name);
    let proof = PROOFS.iter().find(named).ok_or("one of: nights, payments")?;
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
    let size = ("HOMESTAY_TEST_FULL_SIZE".to_owned(), "1".to_owned());
    addresses.insert(size.0.clone(), size.1.clone());
    for mode in ["embedded", "distributed"] {
        println!("\n== {mode}");
        let flow = format!("{mode}::{}", proof.flow);
        tests(&addresses, &["--package", "homestay", "--test", "flows"], &flow)?;
    }
    println!("\n== {}", proof.also);
    let alone = Addresses::from([size]);
    let environment = if proof.on_engines { &addresses } else { &alone };
    tests(environment, &["--package", proof.package, "--lib"], proof.test)
}

/// One test, in the profile for speed, with its output. One that is not there has not passed.
fn tests(environment: &Addresses, of: &[&str], name: &str) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    for variable in OURS {
        cargo.env_remove(variable);
    }
    let mut child = cargo
        .args(["test", "--release"])
        .args(of)
        .args(["--", "--exact", "--nocapture", name])
        .envs(environment)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    let mut counts = Counts::default();
    let output = child.stdout.take().ok_or("no output")?;
    pass_through(BufReader::new(output), std::io::stdout(), &mut counts)
        .map_err(|error| format!("the output is lost: {error}"))?;
    let status = child.wait().map_err(|error| format!("cargo is lost: {error}"))?;
    match (status.success(), counts.passed) {
        (true, 1) => Ok(()),
        (true, n) => Err(format!("{name}: {n} tests ran instead of one")),
        _ => Err(format!("{name} failed")),
    }
}
