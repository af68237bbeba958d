use std::collections::HashSet;
use std::sync::atomic::Ordering;

use homestay_error::Code;
use homestay_proto::usercenter::{SeedReply, SeedRequest, SeedUser};

use super::*;

fn host(n: usize) -> SeedUser {
    SeedUser {
        mobile: format!("139{n:08}"),
        password: "homestay-demo".into(),
        nickname: format!("Host {n}"),
        info: "Happy to meet you".into(),
        role: "host".into(),
        ..SeedUser::default()
    }
}

async fn seed(app: &TestUsers, users: Vec<SeedUser>) -> Result<SeedReply, Error> {
    answer(app.service().seed(SeedRequest { users }).await)
}

#[tokio::test]
async fn seeding_twice_makes_accounts_once_and_hashes_a_password_once() {
    let app = TestUsers::start().await;
    let users: Vec<SeedUser> = (0..2500).map(host).collect();

    let first = seed(&app, users.clone()).await.expect("made");
    let hashed = app.passwords.runs.load(Ordering::Relaxed);
    let second = seed(&app, users).await.expect("nothing to do");

    assert_eq!((first.created, second.created), (2500, 0));
    assert_eq!(first.ids, second.ids);
    assert_eq!(first.ids.iter().collect::<HashSet<_>>().len(), 2500);
    assert_eq!((hashed, app.passwords.runs.load(Ordering::Relaxed)), (1, 1));
    let session = app
        .login("13900000007", "homestay-demo")
        .await
        .expect("a session");
    assert_eq!(
        (session.user_id, app.claims(&session).role),
        (first.ids[7], Role::Host)
    );
    let account = app.account(session.user_id).await;
    assert_eq!(
        (account.nickname.as_str(), account.info.as_str()),
        ("Host 7", "Happy to meet you")
    );
}

#[tokio::test]
async fn a_seed_cut_short_is_completed_and_older_accounts_are_left_as_they_are() {
    let app = TestUsers::start().await;
    let own = app.register("13900000001", PASSWORD).await.expect("an account");
    let half = seed(&app, vec![host(0)]).await.expect("made");

    let whole = seed(&app, (0..3).map(host).collect()).await.expect("made");

    assert_eq!(whole.created, 1);
    assert_eq!(whole.ids[..2], [half.ids[0], own.user_id]);
    assert!(app.login("13900000001", PASSWORD).await.is_ok());
    assert_eq!(app.count("user_auth").await, 3);
}

#[tokio::test]
async fn an_account_without_a_password_cannot_log_in() {
    let app = TestUsers::start().await;
    let user = SeedUser {
        password: String::new(),
        id: 4242,
        ..host(1)
    };

    let made = seed(&app, vec![user]).await.expect("made");

    assert_eq!(made.ids, [4242]);
    for password in ["", "homestay-demo"] {
        assert_eq!(
            refusal(app.login("13900000001", password).await),
            Code::BadCredentials
        );
    }
}

#[tokio::test]
async fn bad_seeds_name_user_and_field_and_make_nothing() {
    let app = TestUsers::start().await;
    let taken = SeedUser { id: 7, ..host(1) };
    seed(&app, vec![taken]).await.expect("made");
    let cases = [
        (
            SeedUser {
                mobile: "1".into(),
                ..host(2)
            },
            "users[1].mobile",
        ),
        (
            SeedUser {
                password: "x".into(),
                ..host(2)
            },
            "users[1].password",
        ),
        (
            SeedUser {
                nickname: "x".repeat(33),
                ..host(2)
            },
            "users[1].nickname",
        ),
        (
            SeedUser {
                role: "root".into(),
                ..host(2)
            },
            "users[1].role",
        ),
        (SeedUser { id: -1, ..host(2) }, "users[1].id"),
        (SeedUser { id: 7, ..host(2) }, "users[1].id"),
    ];
    for (user, field) in cases {
        let error = seed(&app, vec![host(3), user]).await.expect_err(field);
        assert_eq!(
            (error.code(), error.field_name()),
            (Code::InvalidArgument, Some(field))
        );
    }
    assert_eq!(app.count("app_user").await, 1);
}

#[tokio::test]
async fn only_services_seed() {
    let app = TestUsers::start().await;
    let admin = Actor::User {
        id: 1,
        role: Role::Admin,
    };
    let request = SeedRequest { users: vec![host(1)] };
    let outcome = answer(app.client(&admin).seed(request).await);
    assert_eq!(refusal(outcome), Code::Forbidden);
}
