use std::sync::atomic::Ordering;
use std::time::Duration;

use homestay_error::Code;
use homestay_proto::usercenter::{LoginRequest, WxMiniAuthRequest};

use super::*;

async fn throttled() -> TestUsers {
    let config = Config {
        register_per_minute: 2,
        login_per_minute: 2,
        ..Config::default()
    };
    TestUsers::start_with(config, Arc::new(SandboxWechat)).await
}

#[tokio::test]
async fn too_many_logins_are_refused_without_hashing_until_time_has_passed() {
    let app = throttled().await;
    app.register(MOBILE, PASSWORD).await.expect("an account");
    for _ in 0..2 {
        assert_eq!(
            refusal(app.login(MOBILE, "wrong-password").await),
            Code::BadCredentials
        );
    }
    let before = app.passwords.runs.load(Ordering::Relaxed);

    let refused = app.login(MOBILE, PASSWORD).await.expect_err("the third");

    assert_eq!(refused.code(), Code::TooManyRequests);
    assert_eq!(app.passwords.runs.load(Ordering::Relaxed), before);
    app.clock.advance(Duration::from_secs(30));
    assert!(app.login(MOBILE, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_mobile_is_guarded_against_many_addresses() {
    let app = throttled().await;
    let from = |address: &str| LoginRequest {
        address: address.into(),
        ..credentials(MOBILE, "wrong-password")
    };
    for address in ["10.0.0.1", "10.0.0.2"] {
        let outcome = answer(app.anyone().login(from(address)).await);
        assert_eq!(refusal(outcome), Code::BadCredentials);
    }
    let outcome = answer(app.anyone().login(from("10.0.0.3")).await);
    assert_eq!(refusal(outcome), Code::TooManyRequests);
}

#[tokio::test]
async fn too_many_registrations_from_one_address_are_refused_without_hashing() {
    let app = throttled().await;
    for mobile in ["13800000001", "13800000002"] {
        app.register(mobile, PASSWORD).await.expect("an account");
    }
    let before = app.passwords.runs.load(Ordering::Relaxed);

    assert_eq!(
        refusal(app.register("13800000003", PASSWORD).await),
        Code::TooManyRequests
    );
    assert_eq!(app.passwords.runs.load(Ordering::Relaxed), before);
    assert_eq!(app.count("app_user").await, 2);
}

#[tokio::test]
async fn wechat_logins_count_as_logins() {
    let app = throttled().await;
    let request = || WxMiniAuthRequest {
        code: "sandbox-ann".into(),
        address: "10.0.0.1".into(),
        ..WxMiniAuthRequest::default()
    };
    for _ in 0..2 {
        assert!(app.anyone().wx_mini_auth(request()).await.is_ok());
    }
    let outcome = answer(app.anyone().wx_mini_auth(request()).await);
    assert_eq!(refusal(outcome), Code::TooManyRequests);
}
