//! Accounts of the demo on a system that is none any more: the same database, served with `demo: false`.

use homestay_error::Code;
use homestay_proto::usercenter::{RefreshRequest, SeedRequest, SeedUser, WxMiniAuthRequest};
use std::sync::atomic::Ordering;

use super::*;
use crate::bootstrap_admin;

/// The demo's admin, its session, and the same data without a demo.
async fn after_the_demo() -> (TestUsers, Session, TestUsers) {
    let demo = TestUsers::start().await;
    let admin = SeedUser {
        mobile: MOBILE.into(),
        password: PASSWORD.into(),
        role: "admin".into(),
        ..SeedUser::default()
    };
    answer(demo.service().seed(SeedRequest { users: vec![admin] }).await).expect("seeded");
    let session = demo.login(MOBILE, PASSWORD).await.expect("a session");
    let real = demo.again(false);
    (demo, session, real)
}

#[tokio::test]
async fn they_look_like_unknown_ones_in_every_way_to_sign_in() {
    let (demo, session, real) = after_the_demo().await;
    let wechat = || WxMiniAuthRequest {
        code: "sandbox-demo".into(),
        ..WxMiniAuthRequest::default()
    };
    // Of a time before it was staff's.
    let id = session.user_id;
    let bound = demo
        .db()
        .write(move |tx| {
            Box::pin(async move {
                crate::store::insert_auth(tx, crate::store::WX_MINI, "sandbox-openid-demo", id).await
            })
        })
        .await;
    assert!(bound.expect("written"));
    let runs = || real.passwords.runs.load(Ordering::Relaxed);

    let refused = real.login(MOBILE, PASSWORD).await.expect_err("refused");
    let unknown = real.login("13900000000", PASSWORD).await.expect_err("unknown");

    assert_eq!(refused.code(), Code::BadCredentials);
    assert_eq!(refused.message(), unknown.message());
    assert_eq!(runs(), 2, "the same work for both");
    let request = RefreshRequest {
        refresh_token: session.refresh_token,
        kind: SessionKind::Rest.into(),
    };
    let refreshed = answer(real.anyone().refresh(request).await);
    assert_eq!(refusal(refreshed), Code::BadRefreshToken);
    let signed_in = answer(real.anyone().wx_mini_auth(wechat()).await);
    assert_eq!(refusal(signed_in), Code::WechatAuthFailed);
    assert!(
        demo.login(MOBILE, PASSWORD).await.is_ok(),
        "in the demo it is open"
    );
}

#[tokio::test]
async fn none_is_made_there_and_others_sign_in_as_ever() {
    let (demo, _, real) = after_the_demo().await;
    demo.register("13800000005", PASSWORD).await.expect("a guest");

    let seeded = answer(real.service().seed(SeedRequest { users: vec![] }).await);

    assert_eq!(refusal(seeded), Code::Forbidden);
    assert!(real.login("13800000005", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn the_first_admin_may_have_the_number_of_a_demo_admin_and_another_password() {
    let (_, _, real) = after_the_demo().await;

    let id = bootstrap_admin(real.db(), &real.ids, &real.clock, MOBILE, "admin-secret")
        .await
        .expect("an admin");

    assert_eq!(refusal(real.login(MOBILE, PASSWORD).await), Code::BadCredentials);
    let session = real.login(MOBILE, "admin-secret").await.expect("a session");
    assert_eq!((session.user_id, real.claims(&session).role), (id, Role::Admin));
}

#[tokio::test]
async fn those_made_before_there_was_a_mark_are_known_by_their_number_and_name() {
    let db = homestay_testkit::database(&MIGRATIONS[..1]).await;
    let insert = "INSERT INTO app_user (id, mobile, password_hash, nickname, sex, avatar, info, role, created_at_ms) \
         VALUES (1, '13800000004', 'x', 'Front office', 0, '', '', 'admin', 0), \
         (2, '13800000003', 'x', 'Somebody', 0, '', '', 'guest', 0)";
    db.db
        .write(move |tx| Box::pin(async move { Ok(sqlx::query(insert).execute(&mut **tx).await?) }))
        .await
        .expect("two accounts");

    let update = include_str!("../../migrations/2_demo.sql");
    for statement in update.split(';').filter(|text| text.contains("app_user")) {
        db.db
            .write(move |tx| Box::pin(async move { Ok(sqlx::query(statement).execute(&mut **tx).await?) }))
            .await
            .expect("migrated");
    }

    let marked: Vec<i64> = sqlx::query("SELECT id FROM app_user WHERE demo = 1")
        .fetch_all(db.db.read())
        .await
        .expect("rows")
        .iter()
        .map(|row| row.get("id"))
        .collect();
    assert_eq!(marked, [1]);
}
