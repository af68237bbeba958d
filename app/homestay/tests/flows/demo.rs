//! `homestay demo`, run as a person would run it.

use std::process::{Output, Stdio};

use crate::harness::{Mode, PATIENCE, Program, Start, USUAL, command};

/// Runs the demo against `base`, with its temporary files in a folder that must be empty again afterwards.
async fn demo(base: &str) -> (Output, String) {
    let scratch = tempfile::tempdir().unwrap();
    let run = command(scratch.path(), USUAL)
        .args(["demo", "--base", base])
        .env("TMPDIR", scratch.path())
        // A setting of the person's shell; the private system would not start with it.
        .env("HOMESTAY__GRACE", "forever")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    let output = tokio::time::timeout(2 * PATIENCE, run)
        .await
        .expect("an end")
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?} is left behind: {said}");
    (output, said)
}

pub async fn the_demo_succeeds_again_and_again_where_orders_close_soon(mode: Mode) {
    let soon = Start {
        close_after: "2s",
        ..USUAL
    };
    let program = Program::alone(mode, soon).await;

    for _ in 0..2 {
        let (output, said) = demo(&program.base).await;
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("check-in code") && said.contains("its nights are free again"),
            "{said}"
        );
        assert!(!said.contains("private system"), "{said}");
    }
}

pub async fn where_orders_close_late_the_demo_shows_it_on_a_private_system_and_removes_that(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;

    let (output, said) = demo(&program.base).await;

    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("about 30 minutes") && said.contains("its nights are free again"),
        "{said}"
    );
}

#[tokio::test]
async fn the_demo_fails_loudly_where_nothing_answers() {
    let (output, said) = demo("http://127.0.0.1:9").await;

    assert!(!output.status.success(), "{said}");
    assert!(said.contains("nothing answers at http://127.0.0.1:9"), "{said}");
}
