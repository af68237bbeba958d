//! What operators see: jobs, queues, health, metrics; and how a wrong start ends.

use crate::harness::{Program, USUAL, command, stay, text};
use serde_json::json;

#[tokio::test]
async fn operators_see_jobs_and_queues_and_guests_do_not() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), USUAL).await;
    let guest = program.guest().await;
    let sn = program.booked(&guest, &stay(&program.single_unit(1).await)).await;
    assert_eq!(program.get("/v1/jobs", Some(&guest)).await.0, 403);
    assert_eq!(program.get("/v1/jobs", None).await.0, 401);

    let login = json!({ "mobile": "13800000003", "password": "homestay-demo" });
    let (status, session) = program.post("/v1/sessions", None, login).await;
    assert_eq!(status, 201, "{session}");
    let operator = text(&session, "accessToken");
    let seen = async {
        loop {
            let (status, page) = program
                .get("/v1/jobs?queue=order&limit=100", Some(&operator))
                .await;
            assert_eq!(status, 200, "{page}");
            let jobs = page["jobs"].as_array().unwrap();
            if jobs
                .iter()
                .any(|job| job["kind"] == "order.advance" && job["payload"].to_string().contains(&sn))
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, seen)
        .await
        .expect("the closing job is listed");
    let (status, queues) = program.get("/v1/queues", Some(&operator)).await;
    assert_eq!(status, 200);
    assert!(
        queues["queues"]
            .as_array()
            .unwrap()
            .iter()
            .any(|queue| queue["queue"] == "order"),
        "{queues}"
    );
}

#[tokio::test]
async fn health_and_metrics_are_served_on_their_own_port() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), USUAL).await;
    program.get("/v1/homestays", None).await;
    for path in ["/livez", "/readyz", "/startupz"] {
        assert_eq!(
            program
                .http
                .get(format!("{}{path}", program.admin))
                .send()
                .await
                .unwrap()
                .status(),
            200,
            "{path}"
        );
    }
    let metrics = program
        .http
        .get(format!("{}/metrics", program.admin))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        metrics.contains(r#"homestay_http_requests_total{code="200",route="GET /v1/homestays"}"#),
        "{metrics}"
    );
    assert_eq!(program.get("/metrics", None).await.0, 404);
}

#[tokio::test]
async fn the_openapi_document_and_its_page_are_served() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), USUAL).await;
    let (status, api) = program.get("/openapi.json", None).await;
    assert_eq!(status, 200);
    for path in [
        "/v1/homestays",
        "/v1/homestays/{id}",
        "/v1/quotes",
        "/v1/orders",
        "/v1/orders/{sn}",
        "/v1/payments",
        "/v1/users/me",
        "/v1/sessions",
        "/v1/jobs",
        "/v1/queues",
    ] {
        assert!(api["paths"][path].is_object(), "{path} is not in the document");
    }
    assert_eq!(program.get("/docs/", None).await.0, 200);
}

#[tokio::test]
async fn a_second_start_and_a_taken_port_end_with_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::start(data.path(), USUAL).await;
    let second = command(data.path(), USUAL).output().await.unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        !second.status.success() && said.contains("is in use by another homestay process (pid"),
        "{said}"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    let address = program.base.strip_prefix("http://").unwrap();
    let taken = command(elsewhere.path(), USUAL)
        .env("HOMESTAY__GATEWAY__LISTEN", address)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(taken.stderr).unwrap();
    assert!(
        !taken.status.success() && said.contains(address) && said.contains("HOMESTAY__GATEWAY__LISTEN"),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_setting_ends_the_start_with_its_name() {
    let data = tempfile::tempdir().unwrap();
    let cases = [
        ("HOMESTAY__ORDER__CLOSE_AFTER", "soon", "close_after"),
        ("HOMESTAY__ORDER__CLSE_AFTER", "30m", "clse_after"),
        ("HOMESTAY__ADMIN__LISTEN", "nowhere", "listen"),
        ("HOMESTAY__DEMO", "false", "demo"),
    ];
    for (name, value, named) in cases {
        let output = command(data.path(), USUAL)
            .env(name, value)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap().to_lowercase();
        assert!(
            !output.status.success() && said.contains(named),
            "{name}={value}: {said}"
        );
    }
}

#[tokio::test]
async fn check_config_prints_settings_without_secrets() {
    let data = tempfile::tempdir().unwrap();
    let output = command(data.path(), USUAL)
        .arg("check-config")
        .env(
            "HOMESTAY__SECRETS__INTERNAL_CREDENTIAL",
            "a-credential-that-nobody-should-ever-see",
        )
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.contains("close_after: 30m"),
        "{said}"
    );
    assert!(!said.contains("nobody-should"), "{said}");
}
