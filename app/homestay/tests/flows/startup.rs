//! How the program starts, is misconfigured, and stops.

use tokio::io::AsyncWriteExt;

use crate::harness::{Mode, Program, USUAL, command};

pub async fn a_request_that_is_half_sent_does_not_keep_the_program_from_stopping(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    // Not through a gateway, which would wait for the other half itself.
    let travel = program.direct("travel");
    let address = travel.strip_prefix("http://").unwrap();
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /v1/home").await.unwrap();
    // An answered request on another connection: the half one has been read by now.
    assert_eq!(program.get("/v1/homestays?limit=1", None).await.0, 200);
    assert!(program.stop().await, "ends cleanly");
}

#[tokio::test]
async fn options_may_stand_before_and_behind_a_command() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("settings.yaml");
    std::fs::write(&file, "order:\n  close_give_up: 7m\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        ["--config", file, "check-config"],
        ["check-config", "--config", file],
    ] {
        let output = command(data.path(), USUAL)
            .args(arguments)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && said.contains("close_give_up: 7m"),
            "{said}"
        );
    }
    let both = command(data.path(), USUAL)
        .args(["order-rpc", "check-config"])
        .output()
        .await
        .unwrap();
    assert!(!both.status.success());
}

#[tokio::test]
async fn a_weak_secret_is_refused_by_name_also_by_check_config() {
    let data = tempfile::tempdir().unwrap();
    let cases = [
        ("HOMESTAY__SECRETS__JWT_KEYS", "1:short", "jwt_keys"),
        (
            "HOMESTAY__SECRETS__INTERNAL_CREDENTIAL",
            "short",
            "internal_credential",
        ),
    ];
    for (name, value, named) in cases {
        for arguments in [&["check-config"][..], &[]] {
            let output = command(data.path(), USUAL)
                .args(arguments)
                .env(name, value)
                .output()
                .await
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                !output.status.success() && said.contains(named) && !said.contains(value),
                "{said}"
            );
        }
    }
}
