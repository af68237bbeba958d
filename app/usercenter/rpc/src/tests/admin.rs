use homestay_error::Code;
use homestay_proto::usercenter::{RefreshRequest, WxMiniAuthRequest};

use super::*;
use crate::bootstrap_admin;

async fn bootstrap(app: &TestUsers, password: &str) -> Result<i64, Error> {
    bootstrap_admin(app.db(), &app.ids, &app.clock, MOBILE, password).await
}

#[tokio::test]
async fn the_first_admin_is_made_once() {
    let app = TestUsers::start().await;

    let id = bootstrap(&app, "admin-secret").await.expect("an admin");
    let again = bootstrap(&app, "another-secret").await.expect("the same admin");

    assert_eq!(id, again);
    let session = app.login(MOBILE, "admin-secret").await.expect("a session");
    assert_eq!(app.claims(&session).role, Role::Admin);
    assert_eq!(app.count("app_user").await, 1);
}

#[tokio::test]
async fn who_registered_the_number_before_does_not_become_admin_by_that() {
    let app = TestUsers::start().await;
    let squatter = app.register(MOBILE, PASSWORD).await.expect("an account");
    let wechat = || WxMiniAuthRequest {
        code: "sandbox-squatter".into(),
        ..WxMiniAuthRequest::default()
    };
    let mut signed_in = app.user(squatter.user_id);
    signed_in.wx_mini_auth(wechat()).await.expect("bound");

    let id = bootstrap(&app, "admin-secret").await.expect("an admin");

    assert_eq!(id, squatter.user_id);
    assert_eq!(app.account(id).await.role, "admin");
    assert_eq!(refusal(app.login(MOBILE, PASSWORD).await), Code::BadCredentials);
    let request = RefreshRequest {
        refresh_token: squatter.refresh_token,
        kind: SessionKind::Rest.into(),
    };
    assert_eq!(
        refusal(answer(app.anyone().refresh(request).await)),
        Code::BadRefreshToken
    );
    let other = answer(app.anyone().wx_mini_auth(wechat()).await).expect("an account");
    assert_ne!(other.user_id, id);
    assert!(app.login(MOBILE, "admin-secret").await.is_ok());
}

#[tokio::test]
async fn a_bad_admin_setting_names_its_field() {
    let app = TestUsers::start().await;
    let error = bootstrap(&app, "short").await.expect_err("too short");
    assert_eq!(error.field_name(), Some("password"));
    assert_eq!(app.count("app_user").await, 0);
}
