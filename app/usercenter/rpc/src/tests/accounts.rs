use homestay_error::Code;
use homestay_proto::usercenter::{GetProfilesRequest, GetUserRequest};

use super::*;

#[tokio::test]
async fn an_account_is_seen_by_its_owner_staff_and_services_and_unknown_to_others() {
    let app = TestUsers::start().await;
    let id = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    let staff = |role| Actor::User { id: 99, role };
    let cases = [
        (
            Actor::User {
                id,
                role: Role::Guest,
            },
            None,
        ),
        (staff(Role::Operator), None),
        (staff(Role::Admin), None),
        (Actor::Service("order-mq".into()), None),
        (staff(Role::Guest), Some(Code::NotFound)),
        (staff(Role::Host), Some(Code::NotFound)),
        (Actor::Anonymous, Some(Code::Unauthenticated)),
    ];
    for (actor, want) in cases {
        let outcome = answer(app.client(&actor).get_user(GetUserRequest { id }).await);
        assert_eq!(outcome.err().map(|e| e.code()), want, "{actor}");
    }
    let unknown = answer(app.service().get_user(GetUserRequest { id: 5 }).await);
    assert_eq!(refusal(unknown), Code::NotFound);
}

#[tokio::test]
async fn profiles_are_public_and_leave_unknown_ids_out() {
    let app = TestUsers::start().await;
    let one = app.register(MOBILE, PASSWORD).await.expect("an account").user_id;
    let two = app
        .register("13800000002", PASSWORD)
        .await
        .expect("an account")
        .user_id;

    let request = GetProfilesRequest {
        ids: vec![two, 5, one, two],
    };
    let found = answer(app.anyone().get_profiles(request).await).expect("profiles");

    let ids: Vec<i64> = found.profiles.iter().map(|profile| profile.id).collect();
    assert_eq!(ids, [one, two]);
    let none = answer(
        app.anyone()
            .get_profiles(GetProfilesRequest { ids: vec![] })
            .await,
    );
    assert!(none.expect("an answer").profiles.is_empty());
    let many = GetProfilesRequest {
        ids: (0..1001).collect(),
    };
    assert_eq!(
        refusal(answer(app.anyone().get_profiles(many).await)),
        Code::InvalidArgument
    );
}
