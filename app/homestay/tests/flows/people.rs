//! Accounts, roles and secrets, against the running program.

use std::collections::BTreeSet;
use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Mode, Place, Program, Start, USUAL, command, mobile, stay, text, unique};

const PASSWORD: &str = "correct horse battery";

async fn session(program: &Program, body: Value) -> Value {
    let (status, session) = program.post("/v1/sessions", None, body).await;
    assert_eq!(status, 201, "{session}");
    session
}

async fn registered(program: &Program) -> (String, Value) {
    let mobile = mobile();
    let account = json!({ "mobile": mobile, "password": PASSWORD });
    let (status, session) = program.post("/v1/users", None, account).await;
    assert_eq!(status, 201, "{session}");
    (mobile, session)
}

/// What `homestay …` says on a system that may be run on: embedded, a stopped one.
async fn run(place: &Place, arguments: &[&str]) -> Output {
    match place {
        Place::Folder(folder) => command(folder.path(), USUAL)
            .args(arguments)
            .output()
            .await
            .expect("it runs"),
        Place::Servers(fleet) => fleet.ground.command(arguments).output().expect("it runs"),
    }
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

pub async fn a_granted_role_counts_from_the_next_refresh_on(mode: Mode) {
    let place = Place::new(mode, USUAL).await;
    let mut running = Some(place.start(USUAL).await);
    let program = running.as_ref().expect("a system");
    let (mobile, guest) = registered(program).await;
    if mode == Mode::Embedded {
        let refused = run(&place, &["user", "grant", &mobile, "operator"]).await;
        let said = said(&refused);
        assert!(
            !refused.status.success() && said.contains("in use by another"),
            "{said}"
        );
        assert!(running.take().expect("a system").stop().await);
    }

    let granted = run(&place, &["user", "grant", &mobile, "operator"]).await;

    assert!(granted.status.success(), "{}", said(&granted));
    assert!(
        said(&granted).contains("is operator now, was guest"),
        "{}",
        said(&granted)
    );
    let listed = said(&run(&place, &["user", "list"]).await);
    assert!(
        listed.contains(&mobile) && listed.contains("13800000004"),
        "{listed}"
    );
    for (role, mobile, named) in [
        ("root", mobile.as_str(), "root"),
        ("host", "13", "11 digits"),
        ("host", "19999999999", "no account"),
        ("guest", "13800000004", "last admin"),
    ] {
        let refused = run(&place, &["user", "grant", mobile, role]).await;
        let said = said(&refused);
        assert!(!refused.status.success() && said.contains(named), "{said}");
    }
    let program = match running {
        Some(program) => program,
        None => place.start(USUAL).await,
    };
    let old = text(&guest, "accessToken");
    assert_eq!(program.get("/v1/queues", Some(&old)).await.0, 403);
    let refresh = json!({ "refreshToken": text(&guest, "refreshToken") });
    let operator = text(&session(&program, refresh).await, "accessToken");
    assert_eq!(program.get("/v1/queues", Some(&operator)).await.0, 200);
}

pub async fn the_first_admin_is_made_from_its_secret_and_logins_are_throttled(mode: Mode) {
    let start = Start {
        sample: false,
        ..USUAL
    };
    let admin = mobile();
    let settings = [
        ("HOMESTAY__AUTH__ADMIN_MOBILE", admin.as_str()),
        ("HOMESTAY__AUTH__ADMIN_PASSWORD", PASSWORD),
        ("HOMESTAY__AUTH__LOGIN_PER_MINUTE", "2"),
        ("HOMESTAY__AUTH__REGISTER_PER_MINUTE", "3"),
    ];
    let place = Place::with(mode, start, &settings, None).await;
    let program = place.start_with(start, &settings, None).await;

    let login = json!({ "mobile": admin, "password": PASSWORD });
    let token = text(&session(&program, login).await, "accessToken");

    let (_, me) = program.get("/v1/users/me", Some(&token)).await;
    assert_eq!(me["role"], "admin", "{me}");
    // The address has one login left, on whichever face.
    let wrong = json!({ "mobile": mobile(), "password": "a wrong one" });
    assert_eq!(program.post("/v1/sessions", None, wrong.clone()).await.0, 401);
    for path in ["/v1/sessions", "/usercenter/v1/user/login"] {
        assert_refused_for_a_while(&program, path, &wrong).await;
    }
    for _ in 0..3 {
        registered(&program).await;
    }
    let account = json!({ "mobile": mobile(), "password": PASSWORD });
    for path in ["/v1/users", "/usercenter/v1/user/register"] {
        assert_refused_for_a_while(&program, path, &account).await;
    }
}

async fn assert_refused_for_a_while(program: &Program, path: &str, body: &Value) {
    let request = program.http.post(format!("{}{path}", program.base)).json(body);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 429, "{path}");
    let wait = answer.headers().get("retry-after").expect("when to come again");
    let wait: u64 = wait.to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{path}: {wait}");
}

#[tokio::test]
async fn what_is_only_for_demos_does_not_start_elsewhere_and_says_which_setting() {
    let data = tempfile::tempdir().expect("a folder");
    let long = "0123456789abcdef0123456789abcdef";
    let jwt = format!("1:{long}");
    let given = [
        ("HOMESTAY__DEMO", "false"),
        ("HOMESTAY__SECRETS__INTERNAL_CREDENTIAL", long),
        ("HOMESTAY__SECRETS__JWT_KEYS", &jwt),
        ("HOMESTAY__SECRETS__SANDBOX", long),
    ];
    for mode in ["embedded", "distributed"] {
        for arguments in [&["check-config"][..], &[], &["seed"]] {
            let output = command(data.path(), USUAL)
                .args(arguments)
                .envs(given)
                .env("HOMESTAY__MODE", mode)
                .output()
                .await
                .expect("it runs");
            let said = said(&output);
            assert!(!output.status.success(), "{mode} {arguments:?}: {said}");
            assert!(
                said.contains("payment.provider") && said.contains("demo: true"),
                "{mode} {arguments:?}: {said}"
            );
        }
    }
    assert!(!data.path().join("order.db").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_data_folder_of_a_demo_opens_to_no_demo_account_and_no_sandbox_without_the_demo() {
    let place = Place::new(Mode::Embedded, USUAL).await;
    let demo = place.start(USUAL).await;
    let (mobile, _) = registered(&demo).await;
    let of_the_demo = json!({ "mobile": "13800000004", "password": "homestay-demo" });
    let admin = session(&demo, of_the_demo.clone()).await;
    assert!(demo.stop().await);
    let start = Start {
        sample: false,
        ..USUAL
    };
    let long = "0123456789abcdef0123456789abcdef";
    let settings = [
        ("HOMESTAY__DEMO", "false"),
        ("HOMESTAY__SECRETS__INTERNAL_CREDENTIAL", long),
        (
            "HOMESTAY__SECRETS__JWT_KEYS",
            "2:0123456789abcdef0123456789abcdef",
        ),
        ("HOMESTAY__PAYMENT__PROVIDER", "stripe"),
        ("HOMESTAY__PAYMENT__PUBLIC_BASE_URL", "https://homestay.example"),
        ("HOMESTAY__PAYMENT__STRIPE__SECRET_KEY", "sk_live_0123456789"),
        ("HOMESTAY__PAYMENT__STRIPE__WEBHOOK_SECRETS", "whsec_0123456789"),
    ];

    let real = place.start_with(start, &settings, None).await;

    for (path, expected) in [("/v1/sessions", 401), ("/usercenter/v1/user/login", 401)] {
        let (status, answer) = real.post(path, None, of_the_demo.clone()).await;
        assert_eq!(status, expected, "{answer}");
    }
    let refresh = json!({ "refreshToken": text(&admin, "refreshToken") });
    assert_eq!(real.post("/v1/sessions", None, refresh).await.0, 401);
    // Signed with the key that the demo made for itself.
    let token = text(&admin, "accessToken");
    assert_eq!(real.get("/v1/queues", Some(&token)).await.0, 401);
    session(&real, json!({ "mobile": mobile, "password": PASSWORD })).await;
    let wechat = json!({ "code": "sandbox-somebody" });
    assert_eq!(real.post("/v1/sessions", None, wechat).await.0, 400);
    assert_eq!(real.get("/sandbox/pay/unknown", None).await.0, 404);
    for path in [
        "/payment/v1/thirdPayment/sandboxCallback",
        "/v1/payments/callbacks/sandbox",
    ] {
        let (status, answer) = real.post(path, None, json!({})).await;
        assert!(
            matches!(status.as_u16(), 400 | 401 | 404),
            "{path}: {status} {answer}"
        );
    }
}

#[tokio::test]
async fn an_admin_password_that_is_too_short_is_refused_by_its_name_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let output = command(data.path(), USUAL)
        .env("HOMESTAY__AUTH__ADMIN_MOBILE", "13900000000")
        .env("HOMESTAY__AUTH__ADMIN_PASSWORD", "sh0rt")
        .output()
        .await
        .expect("it runs");
    let said = said(&output);
    assert!(
        !output.status.success() && said.contains("auth.admin_password") && !said.contains("sh0rt"),
        "{said}"
    );
}

/// A guest's whole day, also what goes wrong in it, with everything logged that any crate can log.
pub async fn the_logs_of_a_day_name_orders_and_traces_and_no_secret(mode: Mode) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let level = match mode {
        Mode::Embedded => "trace",
        // Fourteen processes with their clients of Kafka, Redis and Postgres.
        Mode::Distributed => "debug",
    };
    let settings = [
        ("HOMESTAY__LOG__LEVEL", level),
        ("HOMESTAY__LOG__FORMAT", "json"),
        ("HOMESTAY__AUTH__ADMIN_MOBILE", "13911111111"),
        ("HOMESTAY__AUTH__ADMIN_PASSWORD", "the admin's own secret"),
    ];
    let place = Place::with(mode, USUAL, &settings, Some(&log)).await;
    let program = place.start_with(USUAL, &settings, Some(&log)).await;
    let mut secrets = BTreeSet::from([
        PASSWORD.to_owned(),
        "the admin's own secret".to_owned(),
        "a wrong password".to_owned(),
        "a newer password".to_owned(),
        "homestay-demo".to_owned(),
        program.credential(),
        program.signing_key(),
    ]);
    let mut keep = |session: &Value| {
        for field in ["accessToken", "refreshToken"] {
            secrets.insert(text(session, field));
        }
    };

    let (mobile, first) = registered(&program).await;
    keep(&first);
    let with = |password: &str| json!({ "mobile": mobile, "password": password });
    assert_eq!(program.post("/v1/users", None, with(PASSWORD)).await.0, 409);
    assert_eq!(
        program
            .post("/v1/sessions", None, with("a wrong password"))
            .await
            .0,
        401
    );
    let mut unknown = with(PASSWORD);
    unknown["colour"] = json!("a wrong password");
    assert_eq!(program.post("/v1/users", None, unknown).await.0, 400);
    let broken = format!(r#"{{"mobile":"{mobile}","password":"{PASSWORD}""#);
    let request = program.http.post(format!("{}/v1/sessions", program.base));
    let request = request.header("content-type", "application/json").body(broken);
    assert_eq!(request.send().await.expect("an answer").status(), 400);

    let put = json!({ "oldPassword": PASSWORD, "newPassword": "a newer password" });
    let change = async |token: String, body: Value| {
        let path = "/v1/users/me/password";
        program
            .call(Method::PUT, path, Some(token.as_str()), Some(body))
            .await
    };
    let (status, changed) = change(text(&first, "accessToken"), put).await;
    assert_eq!(status, 200, "{changed}");
    keep(&changed);
    let back = json!({ "oldPassword": "a newer password", "newPassword": PASSWORD });
    let (status, changed) = change(text(&changed, "accessToken"), back).await;
    assert_eq!(status, 200, "{changed}");
    keep(&changed);

    let login = session(&program, with(PASSWORD)).await;
    keep(&login);
    let refresh = json!({ "refreshToken": text(&login, "refreshToken") });
    let refreshed = session(&program, refresh.clone()).await;
    keep(&refreshed);
    assert_eq!(
        program.post("/v1/sessions", None, refresh).await.0,
        401,
        "it was used"
    );
    let forged = format!("{}x", text(&refreshed, "accessToken"));
    assert_eq!(program.get("/v1/orders", Some(&forged)).await.0, 401);
    let token = text(&refreshed, "accessToken");

    let (status, looklook) = program
        .post("/usercenter/v1/user/login", None, with(PASSWORD))
        .await;
    assert_eq!(status, 200, "{looklook}");
    keep(&looklook["data"]);
    let wechat = json!({ "code": "sandbox-of-the-day", "iv": "", "encryptedData": "" });
    let (status, bound) = program
        .post("/usercenter/v1/user/wxMiniAuth", Some(&token), wechat)
        .await;
    assert_eq!(status, 200, "{bound}");
    keep(&bound["data"]);

    let trace = unique();
    let key = unique();
    let request = program
        .http
        .post(format!("{}/v1/orders", program.base))
        .bearer_auth(&token)
        .header("idempotency-key", &key)
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .json(&stay(&program.single_unit(1).await));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let sn = text(&answer.json().await.expect("JSON"), "sn");
    let pay_url = program.pay_url(&token, &sn).await;
    secrets.insert(pay_url.rsplit('/').next().expect("a token").to_owned());
    assert_eq!(program.press(&pay_url, "pay").await, 200);
    let order = program.until(&token, &sn, "confirmed").await;
    secrets.insert(text(&order, "checkInCode"));
    program.get("/v1/orders", Some(&token)).await;
    let detail = json!({ "sn": sn });
    let path = "/order/v1/homestayOrder/userHomestayOrderDetail";
    assert_eq!(program.post(path, Some(&token), detail).await.0, 200);
    let other = program.booked(&token, &stay(&program.single_unit(1).await)).await;
    let path = format!("/v1/orders/{other}/cancel");
    assert_eq!(program.post(&path, Some(&token), json!({})).await.0, 200);
    let ended = program
        .call(Method::DELETE, "/v1/sessions", Some(&token), Some(json!({})))
        .await;
    assert!(ended.0.is_success(), "{}", ended.1);
    assert!(program.stop().await);

    let logs = String::from_utf8_lossy(&std::fs::read(&log).expect("the logs")).into_owned();
    let mut told = Vec::new();
    for secret in &secrets {
        assert!(secret.len() >= 8, "{secret} could be found by chance");
        if let Some(line) = logs.lines().find(|line| line.contains(secret.as_str())) {
            told.push(format!("{secret}: {line}"));
        }
    }
    assert!(told.is_empty(), "\n{}\n", told.join("\n"));
    for (what, text) in [
        ("the order", &sn),
        ("the cancelled order", &other),
        ("the trace", &trace),
    ] {
        assert!(logs.contains(text.as_str()), "{what} {text} is in no line");
    }
    let both = |line: &&str| line.contains(&sn) && line.contains(&trace);
    assert!(
        logs.lines().any(|line| both(&line)),
        "no line names {sn} and {trace}"
    );
}
