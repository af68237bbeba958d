use std::time::Duration;

use homestay_error::Code;
use homestay_proto::usercenter::{LogoutRequest, RefreshRequest};
use homestay_service::Stop;

use super::*;

async fn refresh(app: &TestUsers, token: &str) -> Result<Session, Error> {
    let request = RefreshRequest {
        refresh_token: token.into(),
        kind: SessionKind::Rest.into(),
    };
    answer(app.anyone().refresh(request).await)
}

async fn logout(client: &mut Client, token: &str) -> Result<(), Error> {
    let request = LogoutRequest {
        refresh_token: token.into(),
    };
    answer(client.logout(request).await).map(|_| ())
}

#[tokio::test]
async fn a_refresh_token_works_once_and_gives_the_next() {
    let app = TestUsers::start().await;
    let first = app.register(MOBILE, PASSWORD).await.expect("an account");
    app.clock.advance(Duration::from_secs(600));

    let second = refresh(&app, &first.refresh_token).await.expect("the next");
    let third = refresh(&app, &second.refresh_token).await.expect("the one after");

    assert_eq!(third.user_id, first.user_id);
    assert_eq!(app.claims(&third).user_id, first.user_id);
    assert_eq!(second.access_expire, first.access_expire + 600);
    assert_eq!(second.refresh_expire, first.refresh_expire + 600);
    assert_ne!(first.refresh_token, second.refresh_token);
}

#[tokio::test]
async fn a_used_token_that_comes_back_ends_its_family_and_no_other() {
    let app = TestUsers::start().await;
    let stolen = app.register(MOBILE, PASSWORD).await.expect("an account");
    let elsewhere = app.login(MOBILE, PASSWORD).await.expect("a session");
    let next = refresh(&app, &stolen.refresh_token).await.expect("the next");

    assert_eq!(
        refusal(refresh(&app, &stolen.refresh_token).await),
        Code::BadRefreshToken
    );

    assert_eq!(
        refusal(refresh(&app, &next.refresh_token).await),
        Code::BadRefreshToken
    );
    assert!(refresh(&app, &elsewhere.refresh_token).await.is_ok());
}

#[tokio::test]
async fn of_two_refreshes_at_the_same_moment_one_wins_and_its_family_ends() {
    let app = TestUsers::start().await;
    let session = app.register(MOBILE, PASSWORD).await.expect("an account");

    let (one, two) = tokio::join!(
        refresh(&app, &session.refresh_token),
        refresh(&app, &session.refresh_token)
    );

    assert_eq!([&one, &two].iter().filter(|o| o.is_ok()).count(), 1);
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(refusal(lost), Code::BadRefreshToken);
    // One of the two was not the owner, and nobody can say which.
    let next = won.expect("a session").refresh_token;
    assert_eq!(refusal(refresh(&app, &next).await), Code::BadRefreshToken);
}

#[tokio::test]
async fn expired_and_unknown_tokens_are_refused() {
    let app = TestUsers::start().await;
    let session = app.register(MOBILE, PASSWORD).await.expect("an account");
    app.clock.advance(Duration::from_secs(30 * 24 * 3600));

    for token in [
        session.refresh_token.as_str(),
        "",
        "unknown",
        &session.access_token,
    ] {
        assert_eq!(
            refusal(refresh(&app, token).await),
            Code::BadRefreshToken,
            "{token}"
        );
    }
}

#[tokio::test]
async fn a_refresh_brings_the_role_of_now() {
    let app = TestUsers::start().await;
    let session = app.register(MOBILE, PASSWORD).await.expect("an account");
    let id = session.user_id;
    app.db()
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE app_user SET role = 'host' WHERE id = $1")
                    .bind(id)
                    .execute(&mut **tx)
                    .await?;
                Ok(())
            })
        })
        .await
        .expect("a new role");

    let next = refresh(&app, &session.refresh_token).await.expect("the next");

    assert_eq!(app.claims(&next).role, Role::Host);
}

#[tokio::test]
async fn logging_out_ends_the_family_of_the_token() {
    let app = TestUsers::start().await;
    let here = app.register(MOBILE, PASSWORD).await.expect("an account");
    let there = app.login(MOBILE, PASSWORD).await.expect("a session");

    logout(&mut app.anyone(), &here.refresh_token)
        .await
        .expect("logged out");

    assert_eq!(
        refusal(refresh(&app, &here.refresh_token).await),
        Code::BadRefreshToken
    );
    assert!(refresh(&app, &there.refresh_token).await.is_ok());
    // Again, and with a token that never was: nothing left to end.
    for token in [here.refresh_token.as_str(), "unknown"] {
        assert!(logout(&mut app.anyone(), token).await.is_ok());
    }
}

#[tokio::test]
async fn logging_out_without_a_token_ends_all_families_of_the_caller() {
    let app = TestUsers::start().await;
    let one = app.register(MOBILE, PASSWORD).await.expect("an account");
    let two = app.login(MOBILE, PASSWORD).await.expect("a session");
    let other = app.register("13800000002", PASSWORD).await.expect("an account");

    logout(&mut app.user(one.user_id), "").await.expect("logged out");

    for session in [one, two] {
        assert_eq!(
            refusal(refresh(&app, &session.refresh_token).await),
            Code::BadRefreshToken
        );
    }
    assert!(refresh(&app, &other.refresh_token).await.is_ok());
    assert_eq!(
        refusal(logout(&mut app.anyone(), "").await),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn the_database_holds_no_refresh_token() {
    let app = TestUsers::start().await;
    let session = app.register(MOBILE, PASSWORD).await.expect("an account");

    let row = sqlx::query("SELECT hash FROM refresh_token")
        .fetch_one(app.db().read())
        .await
        .expect("one token");

    let hash: String = row.get("hash");
    assert_eq!(hash, crate::session::token_hash(&session.refresh_token));
    assert!(!hash.contains(&session.refresh_token));
}

#[tokio::test]
async fn the_sweep_deletes_what_has_expired() {
    let app = TestUsers::start().await;
    app.register(MOBILE, PASSWORD).await.expect("an account");
    app.clock.advance(Duration::from_secs(20 * 24 * 3600));
    app.login(MOBILE, PASSWORD).await.expect("a session");
    app.clock.advance(Duration::from_secs(11 * 24 * 3600));

    let stop = Stop::new();
    stop.cancel();
    crate::sweep(app.db().clone(), app.clock.clone(), stop)
        .await
        .expect("stopped");

    assert_eq!(
        (
            app.count("refresh_token").await,
            app.count("refresh_family").await
        ),
        (1, 1)
    );
}
