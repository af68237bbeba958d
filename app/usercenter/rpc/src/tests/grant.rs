use homestay_error::Code;
use homestay_proto::usercenter::{GrantReply, GrantRequest, ListByRoleRequest, RefreshRequest};

use super::*;

const OTHER: &str = "13800000002";

async fn grant(mut by: Client, mobile: &str, role: &str) -> Result<GrantReply, Error> {
    let request = GrantRequest {
        mobile: mobile.into(),
        role: role.into(),
    };
    answer(by.grant(request).await)
}

#[tokio::test]
async fn a_granted_role_comes_with_the_next_refresh_and_guest_takes_it_away() {
    let app = TestUsers::start().await;
    let mut session = app.register(MOBILE, PASSWORD).await.expect("an account");
    let mut before = "guest".to_owned();
    for (name, role) in [
        ("host", Role::Host),
        ("operator", Role::Operator),
        ("admin", Role::Admin),
        ("operator", Role::Operator),
        ("guest", Role::Guest),
        ("guest", Role::Guest),
    ] {
        // Of the two admins one can always go.
        let granted = grant(app.service(), MOBILE, name).await.map(|reply| reply.before);
        if role == Role::Admin {
            app.register(OTHER, PASSWORD).await.expect("an account");
            grant(app.service(), OTHER, "admin").await.expect("another admin");
        }

        assert_eq!(granted.as_deref().ok(), Some(before.as_str()), "{name}");
        let request = RefreshRequest {
            refresh_token: session.refresh_token.clone(),
            kind: SessionKind::Rest.into(),
        };
        session = answer(app.anyone().refresh(request).await).expect("the next session");
        assert_eq!(app.claims(&session).role, role);
        name.clone_into(&mut before);
    }
}

#[tokio::test]
async fn admins_and_services_grant_and_nobody_else() {
    let app = TestUsers::start().await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    let user = |role| app.client(&Actor::User { id, role });
    for (by, want) in [
        (app.anyone(), Some(Code::Unauthenticated)),
        (user(Role::Guest), Some(Code::Forbidden)),
        (user(Role::Host), Some(Code::Forbidden)),
        (user(Role::Operator), Some(Code::Forbidden)),
        (user(Role::Admin), None),
        (app.service(), None),
    ] {
        assert_eq!(
            grant(by.clone(), MOBILE, "host").await.err().map(|e| e.code()),
            want
        );
        let list = ListByRoleRequest { role: "host".into() };
        let listed = answer(by.clone().list_by_role(list).await);
        assert_eq!(listed.err().map(|e| e.code()), want);
    }
}

#[tokio::test]
async fn unknown_mobiles_and_roles_are_refused_by_field() {
    let app = TestUsers::start().await;
    for (mobile, role, code, field) in [
        (MOBILE, "host", Code::NotFound, "mobile"),
        ("123", "host", Code::InvalidArgument, "mobile"),
        (MOBILE, "root", Code::InvalidArgument, "role"),
        (MOBILE, "", Code::InvalidArgument, "role"),
    ] {
        let error = grant(app.service(), mobile, role).await.expect_err(role);
        assert_eq!((error.code(), error.field_name()), (code, Some(field)));
    }
}

#[tokio::test]
async fn the_last_admin_stays_also_when_two_go_at_once() {
    let app = TestUsers::start().await;
    for mobile in [MOBILE, OTHER] {
        app.register(mobile, PASSWORD).await.expect("an account");
        grant(app.service(), mobile, "admin").await.expect("an admin");
    }

    let (one, two) = tokio::join!(
        grant(app.service(), MOBILE, "guest"),
        grant(app.service(), OTHER, "operator")
    );

    assert_eq!([&one, &two].iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = if one.is_ok() { two } else { one };
    assert_eq!(refusal(refused), Code::LastAdmin);
    let list = ListByRoleRequest { role: "admin".into() };
    let admins = answer(app.service().list_by_role(list).await).expect("a list");
    assert_eq!(admins.users.len(), 1);
}

#[tokio::test]
async fn who_may_do_much_has_no_long_token_on_either_face() {
    let app = TestUsers::start().await;
    app.register(MOBILE, PASSWORD).await.expect("an account");
    for (role, minutes) in [("host", 24 * 60), ("operator", 15), ("admin", 15)] {
        grant(app.service(), MOBILE, role).await.expect("a role");
        let request = LoginRequest {
            kind: SessionKind::Looklook.into(),
            ..credentials(MOBILE, PASSWORD)
        };
        let session = answer(app.anyone().login(request).await).expect("a session");
        let claims = app.claims(&session);
        assert_eq!(claims.exp - claims.iat, minutes * 60, "{role}");
    }
}
