use std::sync::atomic::Ordering;

use homestay_error::Code;
use homestay_proto::usercenter::{
    ChangePasswordRequest, RefreshRequest, RegisterRequest, SessionKind, WxMiniAuthRequest,
};
use homestay_testkit::NOW_MS;
use homestay_types::Role;

use super::*;

#[tokio::test]
async fn who_registers_is_signed_in_and_can_log_in_again() {
    let app = TestUsers::start().await;

    let registered = app.register(MOBILE, PASSWORD).await.expect("an account");
    let again = app.login(MOBILE, PASSWORD).await.expect("a session");

    assert_eq!(again.user_id, registered.user_id);
    for session in [registered, again] {
        let claims = app.claims(&session);
        assert_eq!((claims.user_id, claims.role), (session.user_id, Role::Guest));
        assert_eq!(claims.iat, NOW_MS / 1000);
        assert_eq!(session.access_expire, NOW_MS / 1000 + 15 * 60);
        assert_eq!(claims.exp, session.access_expire);
        assert_eq!(session.refresh_after, NOW_MS / 1000 + 15 * 60 / 2);
        assert_eq!(session.refresh_expire, NOW_MS / 1000 + 30 * 24 * 3600);
        assert!(session.refresh_token.len() >= 32);
    }
}

#[tokio::test]
async fn the_looklook_face_gets_a_longer_life() {
    let app = TestUsers::start().await;
    let request = RegisterRequest {
        kind: SessionKind::Looklook.into(),
        ..registration(MOBILE, PASSWORD)
    };

    let session = answer(app.anyone().register(request).await).expect("an account");

    assert_eq!(session.access_expire, NOW_MS / 1000 + 24 * 3600);
    assert_eq!(session.refresh_after, NOW_MS / 1000 + 12 * 3600);
}

#[tokio::test]
async fn a_given_nickname_is_kept_and_an_absent_one_is_made() {
    let app = TestUsers::start().await;
    let request = RegisterRequest {
        nickname: "小明".into(),
        ..registration(MOBILE, PASSWORD)
    };

    let named = answer(app.anyone().register(request).await).expect("an account");
    let unnamed = app.register("13800000002", PASSWORD).await.expect("an account");

    let account = app.account(named.user_id).await;
    assert_eq!(
        (account.nickname.as_str(), account.mobile.as_str()),
        ("小明", MOBILE)
    );
    assert_eq!((account.role.as_str(), account.wechat_bound), ("guest", false));
    assert_eq!(account.created_at_ms, NOW_MS);
    assert_eq!(app.account(unnamed.user_id).await.nickname.chars().count(), 8);
}

#[tokio::test]
async fn a_mobile_has_one_account() {
    let app = TestUsers::start().await;
    app.register(MOBILE, PASSWORD).await.expect("an account");

    assert_eq!(
        refusal(app.register(MOBILE, "other-password").await),
        Code::MobileTaken
    );
    assert!(app.login(MOBILE, PASSWORD).await.is_ok());
    assert_eq!(app.count("app_user").await, 1);
}

#[tokio::test]
async fn of_two_registrations_at_the_same_moment_one_wins() {
    let app = TestUsers::start().await;

    let (one, two) = tokio::join!(app.register(MOBILE, PASSWORD), app.register(MOBILE, PASSWORD));

    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert!(won.is_ok());
    assert_eq!(refusal(lost), Code::MobileTaken);
    assert_eq!(
        (app.count("app_user").await, app.count("user_auth").await),
        (1, 1)
    );
}

#[tokio::test]
async fn bad_input_names_the_field_and_makes_nothing() {
    let app = TestUsers::start().await;
    let cases = [
        (registration("123", PASSWORD), "mobile"),
        (registration("", PASSWORD), "mobile"),
        (registration(MOBILE, "12345"), "password"),
        (registration(MOBILE, &"x".repeat(129)), "password"),
        (
            RegisterRequest {
                nickname: "x".repeat(33),
                ..registration(MOBILE, PASSWORD)
            },
            "nickname",
        ),
    ];
    for (request, field) in cases {
        let error = answer(app.anyone().register(request).await).expect_err(field);
        assert_eq!(
            (error.code(), error.field_name()),
            (Code::InvalidArgument, Some(field))
        );
    }
    let error = app.login("1", PASSWORD).await.expect_err("a short mobile");
    assert_eq!(error.field_name(), Some("mobile"));
    assert_eq!(app.count("app_user").await, 0);
}

#[tokio::test]
async fn unknown_account_and_wrong_password_get_the_same_answer_after_the_same_work() {
    let app = TestUsers::start().await;
    app.register(MOBILE, PASSWORD).await.expect("an account");
    let runs = || app.passwords.runs.load(Ordering::Relaxed);

    let before = runs();
    let wrong = app.login(MOBILE, "wrong-password").await.expect_err("wrong");
    let for_wrong = runs() - before;
    let unknown = app.login("13800000009", PASSWORD).await.expect_err("unknown");
    let for_unknown = runs() - before - for_wrong;

    assert_eq!(wrong.code(), Code::BadCredentials);
    assert_eq!(
        (wrong.code(), wrong.message(), wrong.field_name()),
        (unknown.code(), unknown.message(), unknown.field_name())
    );
    assert_eq!((for_wrong, for_unknown), (1, 1));
}

async fn change(app: &TestUsers, id: i64, old: &str, new: &str) -> Result<Session, Error> {
    let request = ChangePasswordRequest {
        old_password: old.into(),
        new_password: new.into(),
        address: "10.0.0.1".into(),
        kind: SessionKind::Rest.into(),
    };
    answer(app.user(id).change_password(request).await)
}

#[tokio::test]
async fn a_changed_password_ends_all_sessions_but_the_new_one() {
    let app = TestUsers::start().await;
    let first = app.register(MOBILE, PASSWORD).await.expect("an account");
    let second = app.login(MOBILE, PASSWORD).await.expect("a session");

    let new = change(&app, first.user_id, PASSWORD, "another one")
        .await
        .expect("changed");

    assert_eq!(refusal(app.login(MOBILE, PASSWORD).await), Code::BadCredentials);
    assert!(app.login(MOBILE, "another one").await.is_ok());
    let refresh = async |session: &Session| {
        let request = RefreshRequest {
            refresh_token: session.refresh_token.clone(),
            kind: SessionKind::Rest.into(),
        };
        answer(app.anyone().refresh(request).await)
    };
    for old in [&first, &second] {
        assert_eq!(refusal(refresh(old).await), Code::BadRefreshToken);
    }
    assert!(refresh(&new).await.is_ok());
}

/// A login that has read the old password's hash and is still about to verify it.
async fn login_in_flight(
    app: &TestUsers,
) -> (
    tokio::sync::OwnedSemaphorePermit,
    impl Future<Output = Result<Session, Error>>,
) {
    let cores = app
        .passwords
        .running
        .clone()
        .acquire_many_owned(2)
        .await
        .expect("open");
    let places = app.passwords.waiting.available_permits();
    let mut client = app.anyone();
    let mut login = Box::pin(async move { answer(client.login(credentials(MOBILE, PASSWORD)).await) });
    while app.passwords.waiting.available_permits() == places {
        assert!(futures::poll!(&mut login).is_pending());
        tokio::task::yield_now().await;
    }
    (cores, login)
}

#[tokio::test]
async fn a_login_under_way_does_not_outlive_the_password_it_was_made_with() {
    for by_admin in [false, true] {
        let app = TestUsers::start().await;
        let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
        // Of the same database, with room of its own for hashes.
        let other = app.again(true);

        let (cores, login) = login_in_flight(&app).await;
        if by_admin {
            crate::bootstrap_admin(app.db(), &app.ids, &app.clock, MOBILE, "another one")
                .await
                .expect("an admin");
        } else {
            change(&other, id, PASSWORD, "another one")
                .await
                .expect("changed");
        }
        drop(cores);

        assert_eq!(refusal(login.await), Code::BadCredentials, "{by_admin}");
        let open = sqlx::query("SELECT COUNT(*) AS n FROM refresh_family WHERE revoked_at_ms = 0")
            .fetch_one(app.db().read())
            .await
            .expect("a count");
        // The one of who changed the password.
        assert_eq!(open.get::<i64, _>("n"), i64::from(!by_admin), "{by_admin}");
    }
}

#[tokio::test]
async fn a_password_is_changed_for_the_old_one_alone_and_too_many_tries_are_refused() {
    let app = TestUsers::start_with(
        Config {
            login_per_minute: 3,
            ..no_throttle()
        },
        Arc::new(SandboxWechat),
    )
    .await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    for (old, new, field) in [
        ("wrong", "another one", "oldPassword"),
        (PASSWORD, "short", "newPassword"),
        ("", "another one", "oldPassword"),
    ] {
        let error = change(&app, id, old, new).await.expect_err(field);
        assert_eq!(
            (error.code(), error.field_name()),
            (Code::InvalidArgument, Some(field))
        );
    }
    assert!(change(&app, id, PASSWORD, "another one").await.is_ok());
    let refused = change(&app, id, "another one", PASSWORD).await;
    assert_eq!(refusal(refused), Code::TooManyRequests);
    let nobody = app.client(&Actor::Anonymous);
    let request = ChangePasswordRequest::default();
    let refused = answer(nobody.clone().change_password(request).await);
    assert_eq!(refusal(refused), Code::Unauthenticated);
}

#[tokio::test]
async fn an_account_without_a_password_gets_none_by_its_token() {
    let app = TestUsers::start().await;
    let request = WxMiniAuthRequest {
        code: "sandbox-ann".into(),
        ..WxMiniAuthRequest::default()
    };
    let id = answer(app.anyone().wx_mini_auth(request).await)
        .expect("an account")
        .user_id;
    for old in ["", "anything"] {
        let error = change(&app, id, old, "another one").await.expect_err("none");
        assert_eq!(error.field_name(), Some("oldPassword"));
    }
}

#[tokio::test]
async fn equal_passwords_have_different_argon2id_hashes() {
    let app = TestUsers::start().await;

    let one = app.register(MOBILE, PASSWORD).await.expect("an account");
    let two = app.register("13800000002", PASSWORD).await.expect("an account");

    let hashes = [
        app.password_hash(one.user_id).await,
        app.password_hash(two.user_id).await,
    ];
    assert_ne!(hashes[0], hashes[1]);
    for hash in hashes {
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(!hash.contains(PASSWORD));
    }
}
