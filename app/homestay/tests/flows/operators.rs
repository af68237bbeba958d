//! What operators see: jobs, queues, health, metrics; and how a wrong start ends.

use crate::harness::{Mode, Program, USUAL, command, stay, text, unique};
use serde_json::{Value, json};

pub async fn operators_see_jobs_and_queues_and_guests_do_not(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
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

pub async fn health_and_metrics_are_served_on_their_own_port(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    program.get("/v1/homestays", None).await;
    let mut metrics = String::new();
    for admin in &program.admins {
        let read = async |path: &str| {
            let answer = program.http.get(format!("{admin}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{admin}{path}");
            answer.text().await.unwrap()
        };
        for path in ["/livez", "/readyz", "/startupz"] {
            read(path).await;
        }
        metrics.push_str(&read("/metrics").await);
    }
    assert!(
        metrics.contains(r#"homestay_http_requests_total{code="200",route="GET /v1/homestays"}"#),
        "{metrics}"
    );
    for target in ["order-mq", "payment-mq", "travel-mq", "mqueue-mq"] {
        for service in ["worker", "ticker"] {
            let series = format!(r#"homestay_service_up{{service="{target} {service}"}} 1"#);
            assert!(metrics.contains(&series), "{series}: {metrics}");
        }
    }
    assert_eq!(program.get("/metrics", None).await.0, 404);
}

pub async fn the_openapi_document_and_its_page_are_served(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let (status, api) = program.get("/openapi.json", None).await;
    assert_eq!(status, 200);
    let mut operations = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            assert_declares_what_the_edge_does(&format!("{verb} {path}"), operation);
            operations.push(format!("{verb} {path}"));
        }
    }
    operations.sort();
    assert_eq!(
        operations,
        [
            "delete /v1/homestays/{id}/blocks/{blockId}",
            "delete /v1/sessions",
            "get /v1/cases",
            "get /v1/cases/{id}",
            "get /v1/homestays",
            "get /v1/homestays/{id}",
            "get /v1/homestays/{id}/availability",
            "get /v1/homestays/{id}/blocks",
            "get /v1/homestays/{id}/calendar",
            "get /v1/homestays/{id}/rules",
            "get /v1/jobs",
            "get /v1/orders",
            "get /v1/orders/{sn}",
            "get /v1/orders/{sn}/cancellation",
            "get /v1/orders/{sn}/changes",
            "get /v1/orders/{sn}/changes/quote",
            "get /v1/payments/{sn}",
            "get /v1/queues",
            "get /v1/users/me",
            "post /v1/cases/{id}/notes",
            "post /v1/cases/{id}/resolve",
            "post /v1/homestays/{id}/blocks",
            "post /v1/orders",
            "post /v1/orders/{sn}/cancel",
            "post /v1/orders/{sn}/changes",
            "post /v1/payments",
            "post /v1/quotes",
            "post /v1/sessions",
            "post /v1/users",
            "put /v1/homestays/{id}/rules",
            "put /v1/users/me/password",
        ]
    );
    let schemes = api["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["bearer"]);
    assert_eq!(program.get("/docs/", None).await.0, 200);
}

/// The refusals and failures of every operation, as problems, and the headers of all answers.
fn assert_declares_what_the_edge_does(name: &str, operation: &Value) {
    let responses = operation["responses"].as_object().unwrap();
    let mut statuses = vec!["400", "429", "500", "503"];
    if operation["requestBody"].is_object() {
        statuses.extend(["413", "415"]);
    }
    if let Some(security) = operation["security"].as_array() {
        statuses.push("401");
        let names = security.iter().flat_map(|one| one.as_object().unwrap().keys());
        assert!(names.into_iter().all(|scheme| scheme == "bearer"), "{name}");
    }
    for status in statuses {
        assert!(responses.contains_key(status), "{name} does not declare {status}");
    }
    for (status, response) in responses {
        assert!(response["headers"]["X-Request-Id"].is_object(), "{name} {status}");
        if status.starts_with('2') {
            continue;
        }
        let kinds: Vec<_> = response["content"].as_object().unwrap().keys().collect();
        assert_eq!(kinds, ["application/problem+json"], "{name} {status}");
        let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
        if status == "503" || status == "429" {
            assert!(response["headers"]["Retry-After"].is_object(), "{name} {status}");
        }
    }
}

/// Sends a request and holds its answer against the document: status, content type, fields. The answer's body.
async fn held(
    program: &Program,
    api: &Value,
    (verb, template, path): (&str, &str, &str),
    (token, key, body): (Option<&str>, Option<&str>, Option<Value>),
    want: u16,
) -> Value {
    let mut request = program.http.request(
        verb.to_uppercase().parse().unwrap(),
        format!("{}{path}", program.base),
    );
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let name = format!("{verb} {path} {want}");
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, want, "{name}: {body}");
    assert!(headers.contains_key("x-request-id"), "{name}");
    let declared = &api["paths"][template][verb]["responses"][want.to_string()];
    let content = declared["content"]
        .as_object()
        .unwrap_or_else(|| panic!("{name} is not declared"));
    let kind = headers["content-type"].to_str().unwrap();
    let schema = &content
        .get(kind)
        .unwrap_or_else(|| panic!("{name}: {kind} is not declared"))["schema"];
    assert_fits(api, schema, &body, &name);
    body
}

/// Every required property of the schema is there, and no other than the schema's; lists and parts likewise.
fn assert_fits(api: &Value, schema: &Value, value: &Value, name: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = api.pointer(reference.trim_start_matches('#'));
        return assert_fits(api, target.expect("a schema that is there"), value, name);
    }
    if let Some(list) = value.as_array() {
        list.iter()
            .for_each(|one| assert_fits(api, &schema["items"], one, name));
    }
    let (Some(properties), Some(value)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    for field in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.contains_key(field.as_str().unwrap()),
            "{name} has no {field}"
        );
    }
    for (field, value) in value {
        let part = properties
            .get(field)
            .unwrap_or_else(|| panic!("{name}: {field} is not in the schema"));
        assert_fits(api, part, value, name);
    }
}

pub async fn answers_are_as_the_openapi_document_says(mode: Mode) {
    let program = Program::start(mode, USUAL).await;
    let (_, api) = program.get("/openapi.json", None).await;
    let guest = program.guest().await;
    let token = Some(guest.as_str());
    let house = program.single_unit(1).await;
    let (booking, key) = (stay(&house), unique());

    let list = ("get", "/v1/homestays", "/v1/homestays?limit=2");
    held(&program, &api, list, (None, None, None), 200).await;
    let wrong = ("get", "/v1/homestays", "/v1/homestays?guests=0");
    held(&program, &api, wrong, (None, None, None), 400).await;
    let unknown = ("get", "/v1/homestays/{id}", "/v1/homestays/987654321");
    held(&program, &api, unknown, (None, None, None), 404).await;
    let me = ("get", "/v1/users/me", "/v1/users/me");
    held(&program, &api, me, (token, None, None), 200).await;
    held(&program, &api, me, (None, None, None), 401).await;

    let book = ("post", "/v1/orders", "/v1/orders");
    let order = held(
        &program,
        &api,
        book,
        (token, Some(&key), Some(booking.clone())),
        201,
    )
    .await;
    held(&program, &api, book, (token, None, Some(booking.clone())), 409).await;
    let mut other = booking.clone();
    other["remark"] = json!("another");
    held(&program, &api, book, (token, Some(&key), Some(other)), 422).await;

    let pay = ("post", "/v1/payments", "/v1/payments");
    let body = json!({ "orderSn": order["sn"] });
    let paid = held(&program, &api, pay, (token, Some(&key), Some(body)), 201).await;
    held(&program, &api, pay, (token, None, Some(json!({}))), 400).await;
    held(&program, &api, pay, (None, None, Some(json!({}))), 401).await;
    let body = json!({ "orderSn": "HSO2026112110155900000001" });
    held(&program, &api, pay, (token, None, Some(body.clone())), 404).await;
    held(&program, &api, pay, (token, Some(&key), Some(body)), 422).await;
    let path = format!("/v1/payments/{}", text(&paid, "sn"));
    held(
        &program,
        &api,
        ("get", "/v1/payments/{sn}", &path),
        (token, None, None),
        200,
    )
    .await;
    let foreign = ("get", "/v1/jobs", "/v1/jobs");
    held(&program, &api, foreign, (token, None, None), 403).await;
}

#[tokio::test]
async fn a_second_start_and_a_taken_port_end_with_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    let program = Program::embedded(data.path(), USUAL).await;
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
