use homestay_error::Code;
use homestay_proto::payment as pb;
use homestay_telemetry::metrics;
use tonic::Status;

use super::books::assert_books;
use super::shaky::Fault;
use super::support::{GUEST, STAFF, World, code};

async fn list(world: &World, request: pb::ListCasesRequest) -> Vec<i64> {
    let reply = world.as_staff(STAFF).list_cases(request).await.unwrap();
    reply.into_inner().cases.into_iter().map(|case| case.id).collect()
}

async fn only(world: &World) -> pb::Case {
    let request = pb::ListCasesRequest {
        limit: 10,
        ..Default::default()
    };
    let ids = list(world, request).await;
    assert_eq!(ids.len(), 1);
    world
        .as_staff(STAFF)
        .get_case(pb::GetCaseRequest { id: ids[0] })
        .await
        .unwrap()
        .into_inner()
}

async fn note(world: &World, id: i64, text: &str, key: &str) -> Result<pb::Case, Status> {
    let request = pb::NoteCaseRequest {
        id,
        text: text.to_owned(),
        idempotency_key: key.to_owned(),
    };
    Ok(world.as_staff(STAFF).note_case(request).await?.into_inner())
}

async fn resolve(world: &World, id: i64, why: &str, action: &str, key: &str) -> Result<pb::Case, Status> {
    let request = pb::ResolveCaseRequest {
        id,
        resolution: why.to_owned(),
        action: action.to_owned(),
        idempotency_key: key.to_owned(),
    };
    Ok(world.as_staff(STAFF).resolve_case(request).await?.into_inner())
}

fn opened(kind: &str, reference: &str) -> pb::OpenCaseRequest {
    pb::OpenCaseRequest {
        kind: kind.to_owned(),
        r#ref: reference.to_owned(),
        order_sn: "HSO2026112110155900000001".to_owned(),
        detail: "nobody knows it".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_case_is_opened_once_listed_noted_and_resolved() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for reference in ["a", "b", "a"] {
        let case = world
            .as_service()
            .open_case(opened("unknown_order", reference))
            .await
            .unwrap();
        ids.push(case.into_inner().id);
    }
    assert_eq!((ids[0], ids.len()), (ids[2], 3));
    let page = |last_id, limit, state: &str, kind: &str| pb::ListCasesRequest {
        last_id,
        limit,
        state: state.to_owned(),
        kind: kind.to_owned(),
    };
    assert_eq!(list(&world, page(0, 10, "", "")).await, [ids[1], ids[0]]);
    assert_eq!(list(&world, page(0, 1, "open", "unknown_order")).await, [ids[1]]);
    assert_eq!(list(&world, page(ids[1], 1, "open", "")).await, [ids[0]]);
    assert_eq!(list(&world, page(0, 10, "resolved", "")).await, [] as [i64; 0]);
    assert_eq!(
        list(&world, page(0, 10, "", "wrong_amount")).await,
        [] as [i64; 0]
    );

    for _ in 0..2 {
        note(&world, ids[0], "  called the bank ", "n1").await.unwrap();
        note(&world, ids[0], "again", "").await.unwrap();
    }
    let done = resolve(&world, ids[0], "all is well", "", "").await.unwrap();
    assert_eq!(
        (
            done.state.as_str(),
            done.resolved_by.as_str(),
            done.action.as_str()
        ),
        ("resolved", "user/9/operator", "none")
    );
    let history: Vec<_> = done
        .history
        .iter()
        .map(|one| (one.kind.as_str(), one.text.as_str()))
        .collect();
    assert_eq!(
        history,
        [
            ("note", "called the bank"),
            ("note", "again"),
            ("note", "again"),
            ("resolved", "all is well")
        ]
    );
    // The same again is no second end; another one is refused.
    assert_eq!(
        resolve(&world, ids[0], "all is well", "none", "").await.unwrap(),
        done
    );
    let refused = resolve(&world, ids[0], "no, it is not", "", "")
        .await
        .unwrap_err();
    assert_eq!(code(refused), Code::CaseState);
    // Opened again by what opened it: it was resolved.
    let again = world
        .as_service()
        .open_case(opened("unknown_order", "a"))
        .await
        .unwrap();
    assert_eq!(again.into_inner().state, "resolved");
    assert_eq!(world.open_cases().await, ["unknown_order"]);
    assert!(metrics::render().contains(r#"homestay_payment_cases_open{kind="wrong_amount"}"#));
}

#[tokio::test]
async fn what_a_case_does_not_take_is_refused() {
    let world = World::start().await;
    let id = world
        .as_service()
        .open_case(opened("unknown_order", "a"))
        .await
        .unwrap()
        .into_inner()
        .id;
    note(&world, id, "one", "used").await.unwrap();
    let long = "x".repeat(2_001);
    for (refused, want) in [
        (note(&world, id, " ", "").await, Code::InvalidArgument),
        (note(&world, id, &long, "").await, Code::InvalidArgument),
        (note(&world, id, "two", "used").await, Code::IdempotencyKeyReused),
        (note(&world, 1, "two", "").await, Code::CaseNotFound),
        (resolve(&world, 1, "why", "", "").await, Code::CaseNotFound),
        (resolve(&world, id, "", "", "").await, Code::InvalidArgument),
        (
            resolve(&world, id, "why", "forget", "").await,
            Code::InvalidArgument,
        ),
        (
            resolve(&world, id, "why", "", "used").await,
            Code::IdempotencyKeyReused,
        ),
        // It is about neither a refund nor a payment.
        (
            resolve(&world, id, "why", "retry_refund", "").await,
            Code::InvalidArgument,
        ),
        (
            resolve(&world, id, "why", "refund", "").await,
            Code::InvalidArgument,
        ),
    ] {
        assert_eq!(code(refused.unwrap_err()), want);
    }
    for (kind, reference) in [("", "a"), ("Odd Kind", "a"), ("unknown_order", "")] {
        let refused = world
            .as_service()
            .open_case(opened(kind, reference))
            .await
            .unwrap_err();
        assert_eq!(code(refused), Code::InvalidArgument, "{kind} {reference}");
    }
    // None of them has ended it.
    assert_eq!(only(&world).await.state, "open");
    let bad = pb::ListCasesRequest {
        state: "closed".to_owned(),
        ..Default::default()
    };
    let refused = world.as_staff(STAFF).list_cases(bad).await.unwrap_err();
    assert_eq!(code(refused), Code::InvalidArgument);
}

#[tokio::test]
async fn guests_and_services_see_no_cases_and_only_services_open_them() {
    let world = World::start().await;
    for mut who in [world.as_user(GUEST), world.as_service()] {
        let refused = who.list_cases(pb::ListCasesRequest::default()).await.unwrap_err();
        assert_eq!(code(refused), Code::Forbidden);
        let refused = who.get_case(pb::GetCaseRequest { id: 1 }).await.unwrap_err();
        assert_eq!(code(refused), Code::Forbidden);
    }
    for mut who in [world.as_user(GUEST), world.as_staff(STAFF)] {
        let refused = who.open_case(opened("unknown_order", "a")).await.unwrap_err();
        assert_eq!(code(refused), Code::Forbidden);
    }
}

#[tokio::test]
async fn a_refused_refund_is_tried_again_by_a_persons_word_as_often_as_it_takes() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    let refund = world.refund(&payment.sn).await.unwrap();
    world.fail("refund", Fault::Refused);
    assert_eq!(world.run_jobs().await, []);
    let case = only(&world).await;
    assert_eq!(
        (
            case.kind.as_str(),
            case.refund_sn.as_str(),
            case.detail.as_str(),
            case.amount_cents
        ),
        ("refund_refused", refund.sn.as_str(), "no", 25_600)
    );

    // Refused once more: the same case is open again.
    resolve(&world, case.id, "the bank is back", "retry_refund", "r1")
        .await
        .unwrap();
    assert_eq!(world.execute_refund_state(&refund.sn).await, "pending");
    assert_eq!(world.run_jobs().await, []);
    let again = only(&world).await;
    assert_eq!((again.id, again.state.as_str()), (case.id, "open"));
    // The first word, repeated, tries nothing: it was that word's only try.
    resolve(&world, case.id, "the bank is back", "retry_refund", "r1")
        .await
        .unwrap();
    assert_eq!(only(&world).await.state, "open");

    world.heal();
    resolve(&world, case.id, "now it is", "retry_refund", "r2")
        .await
        .unwrap();
    assert_eq!(world.run_jobs().await, []);
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.refunded_cents), ("refunded", 25_600));
    let history: Vec<_> = only(&world)
        .await
        .history
        .into_iter()
        .map(|one| one.kind)
        .collect();
    assert_eq!(history, ["resolved", "reopened", "resolved"]);
    // There is nothing to try again now: the case stays as it was.
    assert_eq!(world.open_cases().await, [] as [&str; 0]);
    assert_books(&world).await;
}

#[tokio::test]
async fn money_without_an_order_is_a_case_that_can_be_given_back() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    world.forget_order(&payment.order_sn);
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(7200));
        world.sweep().await;
    }
    let case = only(&world).await;
    assert_eq!(
        (case.kind.as_str(), case.payment_sn.as_str(), case.amount_cents),
        ("money_without_order", payment.sn.as_str(), 25_600)
    );
    for _ in 0..2 {
        resolve(&world, case.id, "nobody is owed a stay", "refund", "k")
            .await
            .unwrap();
    }
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(world.get(&payment.sn).await.state, "refunded");
    assert_eq!(world.count("SELECT COUNT(*) FROM refund").await, 1);
    assert_books(&world).await;
}

#[tokio::test]
async fn an_action_that_cannot_be_done_leaves_the_case_open() {
    let world = World::start().await;
    let order = world.order(100);
    let payment = world.create(&order).await.unwrap();
    let request = pb::OpenCaseRequest {
        payment_sn: payment.sn.clone(),
        ..opened("unknown_order", "a")
    };
    let id = world
        .as_service()
        .open_case(request)
        .await
        .unwrap()
        .into_inner()
        .id;
    let refused = resolve(&world, id, "give it back", "refund", "")
        .await
        .unwrap_err();
    assert_eq!(code(refused), Code::PaymentState);
    let case = only(&world).await;
    assert_eq!((case.state.as_str(), case.history.len()), ("open", 0));
}
