use homestay_testkit::fake;

use super::{Api, FakeUsers, UserCenterServer, call, token};
use crate::rest;

const SESSION: &str = r#""accessExpiresAt":"2026-11-21T00:15:00.000Z","refreshToken":"refresh-2","refreshExpiresAt":"2026-11-22T00:00:00.000Z"}"#;

fn session(said: &str) -> String {
    format!(r#"201 {{"userId":7,"tokenType":"Bearer","accessToken":"{said}",{SESSION}"#)
}

fn problem(status: u16, title: &str, detail: &str, code: &str, field: &str) -> String {
    let field = match field {
        "" => String::new(),
        field => format!(r#""field":"{field}","#),
    };
    format!(
        r#"{status} {{"type":"/docs#{code}","title":"{title}","status":{status},"detail":"{detail}","code":"{code}",{field}"requestId":"r1"}}"#
    )
}

#[tokio::test]
async fn an_account_is_opened_with_a_session() {
    let body = r#"{"mobile":"13800000001","password":"hunter22","nickname":"Ann"}"#;
    assert_eq!(
        call("POST /v1/users", &token(-1), body).await,
        session("REST anonymous 13800000001 hunter22 Ann unknown")
    );
}

#[tokio::test]
async fn a_password_is_changed_by_its_owner() {
    let body = r#"{"oldPassword":"hunter22","newPassword":"hunter23"}"#;
    assert_eq!(
        call("PUT /v1/users/me/password", &token(60), body).await,
        session("REST user/7/host hunter22 hunter23 unknown").replacen("201", "200", 1)
    );
    let refused = call("PUT /v1/users/me/password", "", body).await;
    assert!(refused.starts_with("401 "), "{refused}");
    let refused = call("PUT /v1/users/me/password", &token(60), "{}").await;
    assert!(
        refused.starts_with("400 ") && refused.contains("oldPassword"),
        "{refused}"
    );
}

#[tokio::test]
async fn there_are_three_ways_to_sign_in() {
    let cases = [
        (
            "",
            r#"{"mobile":"13800000001","password":"hunter22"}"#,
            "REST anonymous 13800000001 hunter22 unknown",
        ),
        ("", r#"{"refreshToken":"refresh-1"}"#, "REST anonymous refresh-1"),
        ("", r#"{"code":"c"}"#, "REST anonymous c   unknown"),
        (
            "",
            r#"{"code":"c","iv":"i","encryptedData":"e"}"#,
            "REST anonymous c i e unknown",
        ),
        ("good", r#"{"code":"c"}"#, "REST user/7/host c   unknown"),
        (
            "expired",
            r#"{"refreshToken":"refresh-1"}"#,
            "REST anonymous refresh-1",
        ),
        (
            "expired",
            r#"{"mobile":"13800000001","password":"hunter22"}"#,
            "REST anonymous 13800000001 hunter22 unknown",
        ),
    ];
    for (which, body, said) in cases {
        let token = match which {
            "good" => token(60),
            "expired" => token(-1),
            _ => String::new(),
        };
        assert_eq!(
            call("POST /v1/sessions", &token, body).await,
            session(said),
            "{body}"
        );
    }
    let binding = call("POST /v1/sessions", &token(-1), r#"{"code":"c"}"#).await;
    assert!(binding.starts_with("401 "), "{binding}");
}

#[tokio::test]
async fn a_sign_in_that_is_none_of_them_names_the_field() {
    let cases = [
        (
            "{}",
            "mobile",
            "mobile is not set: send mobile and password, refreshToken, or code",
        ),
        (r#"{"mobile":"13800000001"}"#, "password", "password is not set"),
        (
            r#"{"mobile":"13800000001","password":"x","code":"c"}"#,
            "body",
            "body must have only one of mobile, refreshToken and code",
        ),
        (
            r#"{"refreshToken":"r","password":"x"}"#,
            "password",
            "password does not belong to this way to sign in",
        ),
        (
            r#"{"mobile":"13800000001","password":"x","encryptedData":"e"}"#,
            "encryptedData",
            "encryptedData does not belong to this way to sign in",
        ),
        (r#"{"user":"x"}"#, "user", r#"field \"user\" is not known here"#),
    ];
    for (body, field, detail) in cases {
        assert_eq!(
            call("POST /v1/sessions", "", body).await,
            problem(400, "Bad Request", detail, "INVALID_ARGUMENT", field)
        );
    }
}

#[tokio::test]
async fn refusals_are_problems_with_a_code() {
    let cases = [
        (
            "POST /v1/users",
            r#"{"mobile":"taken","password":"hunter22"}"#,
            problem(409, "Conflict", "user has been registered", "MOBILE_TAKEN", ""),
        ),
        (
            "POST /v1/sessions",
            r#"{"mobile":"13800000001","password":"wrong"}"#,
            problem(401, "Unauthorized", "账号或密码不正确", "BAD_CREDENTIALS", ""),
        ),
        (
            "POST /v1/sessions",
            r#"{"refreshToken":"used"}"#,
            problem(
                401,
                "Unauthorized",
                "refresh token is not valid",
                "BAD_REFRESH_TOKEN",
                "",
            ),
        ),
        (
            "POST /v1/sessions",
            r#"{"mobile":"13800000001","password":"often"}"#,
            problem(
                429,
                "Too Many Requests",
                "too many requests, try again later",
                "TOO_MANY_REQUESTS",
                "",
            ),
        ),
        (
            "GET /v1/users/me",
            "",
            problem(
                401,
                "Unauthorized",
                "token失效，请重新登陆",
                "UNAUTHENTICATED",
                "",
            ),
        ),
    ];
    for (route, body, want) in cases {
        assert_eq!(call(route, "", body).await, want);
    }
}

#[tokio::test]
async fn me_is_the_account_of_the_token() {
    assert_eq!(
        call("GET /v1/users/me", &token(60), "").await,
        r#"200 {"id":7,"mobile":"13800000001","nickname":"小明","sex":1,"avatar":"a.png","info":"hello","role":"host","wechatBound":true,"createdAt":"2026-11-21T00:00:00.000Z"}"#
    );
}

#[tokio::test]
async fn signing_out_takes_a_refresh_token_or_an_access_token() {
    let good = token(60);
    let expired = token(-1);
    let cases = [
        ("", r#"{"refreshToken":"refresh-1"}"#, "204 "),
        (expired.as_str(), r#"{"refreshToken":"refresh-1"}"#, "204 "),
        (good.as_str(), "", "204 "),
        (good.as_str(), "{}", "204 "),
        (expired.as_str(), "", "401 "),
        ("", "", "401 "),
    ];
    for (token, body, want) in cases {
        let answer = call("DELETE /v1/sessions", token, body).await;
        assert!(answer.starts_with(want), "{token} {body}: {answer}");
    }
}

#[test]
fn the_openapi_document_lists_the_routes() {
    let api = Api::new(fake(UserCenterServer::new(FakeUsers)));
    let document = rest(api).into_openapi();
    let paths: Vec<&String> = document.paths.paths.keys().collect();
    assert_eq!(
        paths,
        [
            "/v1/sessions",
            "/v1/users",
            "/v1/users/me",
            "/v1/users/me/password"
        ]
    );
    let schemas = document.components.expect("components").schemas;
    let names: Vec<&String> = schemas.keys().collect();
    assert_eq!(
        names,
        [
            "EndSession",
            "NewPassword",
            "NewSession",
            "NewUser",
            "Problem",
            "Session",
            "User"
        ]
    );
}
