use homestay_types::Role;

use super::{raw, send, text, token, token_of};

/// A request by the operator 9; status and body of the answer.
async fn ask(route: &str, key: &str, body: &str) -> String {
    let token = token_of(9, Role::Operator);
    let mut headers = vec![
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    if !key.is_empty() {
        headers.push(("idempotency-key", key));
    }
    text(send(raw(route, &headers, body.to_owned())).await).await
}

const BODY: &str = r#""kind":"refund_refused","ref":"RFD1","orderSn":"HSO2026112110155900000001","paymentSn":"PMT2026112110160000000002","refundSn":"RFD1","provider":"sandbox","amountCents":100,"currency":"CNY","detail":"no""#;
const OPEN: &str = r#""state":"open","openedAt":"2026-11-21T00:00:00.000Z","resolvedAt":null,"resolvedBy":null,"resolution":null,"action":null"#;
const HISTORY: &str = r#""history":[{"id":9,"kind":"note","author":"user/9/operator","text":"called the bank","action":null,"at":"2026-11-21T00:00:00.000Z"}]"#;

#[tokio::test]
async fn an_operator_pages_through_cases() {
    let first = ask("GET /v1/cases?state=open&kind=refund_refused&limit=3", "", "").await;
    let of = |id: i64| format!(r#"{{"id":{id},{BODY},{OPEN}}}"#);
    let page = [4, 3, 2].map(of).join(",");
    assert_eq!(first, format!(r#"200 {{"cases":[{page}],"nextCursor":"Mg"}}"#));
    let last = ask("GET /v1/cases?limit=3&cursor=Mg", "", "").await;
    assert_eq!(last, format!(r#"200 {{"cases":[{}],"nextCursor":null}}"#, of(1)));
}

#[tokio::test]
async fn an_operator_reads_notes_and_resolves_a_case() {
    let whole = format!(r#"200 {{"id":4,{BODY},{OPEN},{HISTORY}}}"#);
    assert_eq!(ask("GET /v1/cases/4", "", "").await, whole);
    let note = r#"{"text":"called the bank"}"#;
    assert_eq!(ask("POST /v1/cases/4/notes", "n1", note).await, whole);
    let resolved = r#""state":"resolved","openedAt":"2026-11-21T00:00:00.000Z","resolvedAt":"2026-11-21T00:00:00.001Z","resolvedBy":"user/9/operator","resolution":"paid by hand","action":"none""#;
    for body in [
        r#"{"resolution":"paid by hand"}"#,
        r#"{"resolution":"paid by hand","action":null}"#,
    ] {
        assert_eq!(
            ask("POST /v1/cases/4/resolve", "", body).await,
            format!(r#"200 {{"id":4,{BODY},{resolved},{HISTORY}}}"#)
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_case_is_a_problem() {
    for (route, key, body, status, code) in [
        ("GET /v1/cases/5", "", "", 404, "CASE_NOT_FOUND"),
        ("GET /v1/cases/x", "", "", 400, "INVALID_ARGUMENT"),
        ("GET /v1/cases?state=closed", "", "", 400, "INVALID_ARGUMENT"),
        ("GET /v1/cases?cursor=x", "", "", 400, "INVALID_ARGUMENT"),
        ("GET /v1/cases?color=red", "", "", 400, "INVALID_ARGUMENT"),
        ("POST /v1/cases/4/notes", "", "{}", 400, "INVALID_ARGUMENT"),
        (
            "POST /v1/cases/4/notes",
            "used",
            r#"{"text":"x"}"#,
            422,
            "IDEMPOTENCY_KEY_REUSED",
        ),
        (
            "POST /v1/cases/4/resolve",
            "",
            r#"{"action":"none"}"#,
            400,
            "INVALID_ARGUMENT",
        ),
        (
            "POST /v1/cases/4/resolve",
            "",
            r#"{"resolution":"x"}"#,
            409,
            "CASE_STATE",
        ),
        (
            "POST /v1/cases/4/resolve",
            "",
            r#"{"resolution":"x","action":"retry_refund"}"#,
            409,
            "PAYMENT_STATE",
        ),
    ] {
        let answer = ask(route, key, body).await;
        assert!(answer.starts_with(&format!("{status} ")), "{route} {answer}");
        assert!(
            answer.contains(&format!(r#""code":"{code}""#)),
            "{route} {answer}"
        );
    }
}

#[tokio::test]
async fn nobody_but_staff_sees_cases() {
    let guest = token();
    for (route, body) in [
        ("GET /v1/cases", ""),
        ("GET /v1/cases/4", ""),
        ("POST /v1/cases/4/notes", r#"{"text":"x"}"#),
        ("POST /v1/cases/4/resolve", r#"{"resolution":"x"}"#),
    ] {
        let json = ("content-type", "application/json");
        let nobody = text(send(raw(route, &[json], body)).await).await;
        assert!(nobody.starts_with("401 "), "{route} {nobody}");
        let headers = [json, ("authorization", guest.as_str())];
        let forbidden = text(send(raw(route, &headers, body)).await).await;
        assert!(forbidden.starts_with("403 "), "{route} {forbidden}");
    }
}
