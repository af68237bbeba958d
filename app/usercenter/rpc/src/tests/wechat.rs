use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use homestay_config::Secret;
use homestay_error::Code;
use homestay_proto::usercenter::{ChangePasswordRequest, SeedRequest, SeedUser, WxMiniAuthRequest};
use homestay_service::Tasks;
use tokio::net::TcpListener;

use super::*;
use crate::WechatConfig;
use crate::wechat::{Identity, NoWechat, WechatClient, WxLogin, provider};

/// What the sandbox user `name` sends, with a phone number unless it is empty.
fn sandbox(name: &str, mobile: &str) -> WxMiniAuthRequest {
    let encrypted_data = match mobile {
        "" => String::new(),
        mobile => BASE64_STANDARD.encode(format!(r#"{{"phoneNumber":"{mobile}"}}"#)),
    };
    WxMiniAuthRequest {
        code: format!("sandbox-{name}"),
        encrypted_data,
        kind: SessionKind::Looklook.into(),
        ..WxMiniAuthRequest::default()
    }
}

async fn come(app: &TestUsers, name: &str, mobile: &str) -> Result<Session, Error> {
    answer(app.anyone().wx_mini_auth(sandbox(name, mobile)).await)
}

async fn bind(app: &TestUsers, id: i64, name: &str) -> Result<Session, Error> {
    answer(app.user(id).wx_mini_auth(sandbox(name, "")).await)
}

#[tokio::test]
async fn who_comes_first_through_wechat_gets_an_account_and_finds_it_again() {
    let app = TestUsers::start().await;

    let first = come(&app, "ann", "13800001234").await.expect("an account");
    let second = come(&app, "ann", "").await.expect("the same");

    assert_eq!(first.user_id, second.user_id);
    let account = app.account(first.user_id).await;
    assert_eq!(
        (account.nickname.as_str(), account.mobile.as_str()),
        ("LookLook1234", "13800001234")
    );
    assert!(account.wechat_bound);
    assert_eq!(refusal(app.login("13800001234", "").await), Code::BadCredentials);
}

#[tokio::test]
async fn a_phone_number_that_is_missing_or_unreadable_gives_an_account_without_mobile() {
    let app = TestUsers::start().await;
    let unreadable = WxMiniAuthRequest {
        encrypted_data: "rubbish".into(),
        iv: "x".into(),
        ..sandbox("bob", "")
    };

    let ann = come(&app, "ann", "").await.expect("an account");
    let bob = answer(app.anyone().wx_mini_auth(unreadable).await).expect("an account");
    let cid = come(&app, "cid", "12").await.expect("an account");

    assert_eq!(app.count("app_user").await, 3);
    for (session, nickname) in [
        (ann, "LookLook-ann"),
        (bob, "LookLook-bob"),
        (cid, "LookLook-cid"),
    ] {
        let account = app.account(session.user_id).await;
        assert_eq!(
            (account.mobile.as_str(), account.nickname.as_str()),
            ("", nickname)
        );
    }
}

#[tokio::test]
async fn a_known_phone_number_leads_to_its_account() {
    let app = TestUsers::start().await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;

    let session = come(&app, "ann", MOBILE).await.expect("a session");

    assert_eq!(session.user_id, id);
    let (own, payers) = (
        app.account(id).await,
        app.service().get_user(GetUserRequest { id }).await,
    );
    assert!(own.wechat_bound);
    assert_eq!(own.wechat_openid, "", "it is between the services and WeChat");
    assert_eq!(
        answer(payers).expect("an account").wechat_openid,
        "sandbox-openid-ann"
    );
    assert_eq!(come(&app, "ann", "").await.expect("a session").user_id, id);
    assert_eq!(refusal(come(&app, "bob", MOBILE).await), Code::WechatBound);
    assert_eq!(app.count("app_user").await, 1);
}

#[tokio::test]
async fn a_phone_number_does_not_open_the_account_of_an_admin() {
    let app = TestUsers::start().await;
    let admin = SeedUser {
        mobile: MOBILE.into(),
        role: "admin".into(),
        ..SeedUser::default()
    };
    let seeded = SeedRequest { users: vec![admin] };
    app.service().seed(seeded).await.expect("an admin");

    assert_eq!(refusal(come(&app, "ann", MOBILE).await), Code::WechatAuthFailed);
    assert_eq!(
        (app.count("app_user").await, app.count("refresh_family").await),
        (1, 0)
    );
}

#[tokio::test]
async fn the_token_of_an_operator_or_admin_binds_no_wechat() {
    let app = TestUsers::start().await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    for role in [Role::Operator, Role::Admin] {
        crate::grant::grant(app.db(), true, &Actor::Service("test".into()), MOBILE, role)
            .await
            .expect("granted");
        assert_eq!(refusal(bind(&app, id, "eve").await), Code::WechatAuthFailed);
        assert!(!app.account(id).await.wechat_bound, "{role}");
        assert_eq!(app.count("refresh_family").await, 1, "{role}");
    }
}

#[tokio::test]
async fn with_another_password_wechat_is_no_way_in_until_it_is_bound_again() {
    let app = TestUsers::start().await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    bind(&app, id, "eve").await.expect("bound");

    let request = ChangePasswordRequest {
        old_password: PASSWORD.into(),
        new_password: "another one".into(),
        address: "10.0.0.1".into(),
        kind: SessionKind::Rest.into(),
    };
    answer(app.user(id).change_password(request).await).expect("changed");

    assert!(!app.account(id).await.wechat_bound);
    assert_ne!(come(&app, "eve", "").await.expect("an account").user_id, id);
    assert!(bind(&app, id, "ann").await.is_ok());
}

#[tokio::test]
async fn a_signed_in_account_binds_wechat_once() {
    let app = TestUsers::start().await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    let other = app
        .register("13800000002", PASSWORD)
        .await
        .expect("an account")
        .user_id;

    let bound = bind(&app, id, "ann").await.expect("bound");
    let again = bind(&app, id, "ann").await.expect("bound");

    assert_eq!((bound.user_id, again.user_id), (id, id));
    assert!(app.account(id).await.wechat_bound);
    assert_eq!(come(&app, "ann", "").await.expect("a session").user_id, id);
    assert_eq!(
        refusal(bind(&app, other, "ann").await),
        Code::WechatBound,
        "the identity is taken"
    );
    assert_eq!(
        refusal(bind(&app, id, "bob").await),
        Code::WechatBound,
        "the account has one"
    );
    assert_eq!(
        refusal(bind(&app, 5, "eve").await),
        Code::Unauthenticated,
        "no such account"
    );
}

#[tokio::test]
async fn of_two_first_logins_at_the_same_moment_both_get_one_account() {
    let app = TestUsers::start().await;

    let (one, two) = tokio::join!(come(&app, "ann", MOBILE), come(&app, "ann", MOBILE));

    assert_eq!(one.expect("a session").user_id, two.expect("a session").user_id);
    assert_eq!(
        (app.count("app_user").await, app.count("user_auth").await),
        (1, 1)
    );
}

#[tokio::test]
async fn bad_codes_are_refused_and_make_nothing() {
    let app = TestUsers::start().await;
    let code = |code: &str| WxMiniAuthRequest {
        code: code.into(),
        ..WxMiniAuthRequest::default()
    };

    let empty = answer(app.anyone().wx_mini_auth(code("")).await).expect_err("no code");
    let wrong = answer(app.anyone().wx_mini_auth(code("x")).await);

    assert_eq!(empty.field_name(), Some("code"));
    assert_eq!(refusal(wrong), Code::WechatAuthFailed);
    assert_eq!(app.count("app_user").await, 0);
}

#[tokio::test]
async fn the_sandbox_plays_in_demos_only() {
    let http = homestay_http::client(Duration::from_secs(1));
    let configured = WechatConfig {
        app_id: "wx1".into(),
        ..WechatConfig::default()
    };
    let name = |config: &WechatConfig, demo| {
        let provider = format!("{:?}", provider(config, demo, http.clone()));
        provider.split([' ', '{']).next().unwrap_or_default().to_owned()
    };
    assert_eq!(name(&configured, true), "WechatClient");
    assert_eq!(name(&configured, false), "WechatClient");
    assert_eq!(name(&WechatConfig::default(), true), "SandboxWechat");
    assert_eq!(name(&WechatConfig::default(), false), "NoWechat");
    let refused = NoWechat.identify(WxLogin::default()).await;
    assert_eq!(refusal(refused), Code::WechatAuthFailed);
}

/// A server that answers `jscode2session` as WeChat does, and a client for it.
async fn fake_wechat() -> WechatClient {
    async fn jscode2session(Query(query): Query<HashMap<String, String>>) -> String {
        let is = |name: &str, value: &str| query.get(name).map(String::as_str) == Some(value);
        assert!(is("appid", "wx1") && is("secret", "app-secret") && is("grant_type", "authorization_code"));
        match query.get("js_code").map(String::as_str) {
            Some("good") => {
                serde_json::json!({"openid": "o1", "session_key": "tiihtNczf5v6AKRyjwEUhQ==", "unionid": "u"})
                    .to_string()
            }
            Some("busy") => r#"{"errcode":-1,"errmsg":"system error"}"#.into(),
            Some("html") => "<html>bad gateway</html>".into(),
            _ => r#"{"errcode":40029,"errmsg":"invalid code"}"#.into(),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = Router::new().route("/sns/jscode2session", get(jscode2session));
    Tasks::new().detach(async move {
        axum::serve(listener, router).await.expect("serves");
    });
    client_for(base_url)
}

fn client_for(base_url: String) -> WechatClient {
    let config = WechatConfig {
        app_id: "wx1".into(),
        app_secret: Secret::new("app-secret"),
        base_url,
        timeout: Duration::from_secs(5),
    };
    WechatClient::new(homestay_http::client(Duration::from_secs(5)), &config)
}

#[tokio::test]
async fn wechat_itself_is_asked_for_the_openid_and_the_phone_is_decrypted() {
    let wechat = fake_wechat().await;
    // openssl enc -aes-128-cbc -K b628a1b4d7337f9bfa00a4728f011485 -iv 07…07, of
    // {"phoneNumber":"13800001234","purePhoneNumber":"13800001234","countryCode":"86","watermark":{"timestamp":1795219200,"appid":"wx1"}}
    let login = |code: &str| WxLogin {
        code: code.into(),
        iv: "BwcHBwcHBwcHBwcHBwcHBw==".into(),
        encrypted_data: ENCRYPTED.into(),
    };

    let identity = wechat.identify(login("good")).await.expect("who it is");

    assert_eq!(
        identity,
        Identity {
            openid: "o1".into(),
            mobile: Some("13800001234".into())
        }
    );
    for (code, want) in [
        ("bad", Code::WechatAuthFailed),
        ("busy", Code::Unavailable),
        ("html", Code::Unavailable),
    ] {
        assert_eq!(refusal(wechat.identify(login(code)).await), want, "{code}");
    }
}

#[tokio::test]
async fn a_missing_wechat_is_unavailable_and_the_error_does_not_show_the_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);

    let error = client_for(base_url)
        .identify(WxLogin {
            code: "good".into(),
            ..WxLogin::default()
        })
        .await
        .expect_err("nobody is there");

    assert_eq!(error.code(), Code::Unavailable);
    let shown = format!("{error:?} {}", error.chain());
    assert!(
        !shown.contains("app-secret") && !shown.contains("js_code"),
        "{shown}"
    );
}

/// What the client decrypts above.
const ENCRYPTED: &str = concat!(
    "cOJcClniIu+pbxQMgJODmgG+eGiZxHsuc/ml75mVwG/88gM5/3mSJEovlvWnTimHFPvgnZy8V8lZYyapaBVJBlGavqGTtWNL",
    "jvnQqHHSJBCBnuSCMhzF6mWLHg+7PbLig7n3t6oRwsq8o2ZCD0akBKkW53MBhFXi46M/uVLqbuPek8FJnvOhVcq+naVvNcRY",
);
