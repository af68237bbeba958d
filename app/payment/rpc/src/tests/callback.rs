use std::sync::atomic::Ordering;
use std::time::Duration;

use homestay_error::Code;
use homestay_proto::payment as pb;
use homestay_telemetry::metrics;
use homestay_testkit::NOW_MS;

use super::support::{World, code, says, token};
use crate::sandbox::{Notification, sign};

fn taken() -> (i32, String) {
    (200, "SUCCESS".to_owned())
}

fn failed(status: i32) -> (i32, String) {
    (status, "FAIL".to_owned())
}

async fn paid(world: &World) -> pb::PaymentView {
    let order = world.order(25_600);
    world.create(&order).await.unwrap()
}

#[tokio::test]
async fn a_payment_made_on_the_page_is_captured_through_the_signed_callback() {
    let world = World::start().await;
    let payment = paid(&world).await;
    assert_eq!(world.act(&payment, "pay").await.unwrap().state, "captured");
    // Only the callback tells us.
    assert_eq!(world.get(&payment.sn).await.state, "pending");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(world.run_jobs().await, []);
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.captured_at_ms), ("captured", NOW_MS));
    let event = world.events().await.remove(0);
    assert_eq!(event.order_sn.as_str(), payment.order_sn);
    assert_eq!(event.payment_sn.as_str(), payment.sn);
    assert_eq!(
        (event.pay_status, event.amount_cents, event.refunded_cents),
        (1, 25_600, 0)
    );
}

#[tokio::test]
async fn a_callback_is_recorded_once_however_often_it_comes() {
    let world = World::start().await;
    let payment = paid(&world).await;
    for _ in 0..3 {
        assert_eq!(world.call_back(&says("captured", &payment)).await, taken());
    }
    // The same news under another id changes nothing either.
    let again = Notification {
        event_id: "other".to_owned(),
        ..says("captured", &payment)
    };
    assert_eq!(world.call_back(&again).await, taken());
    assert_eq!(world.statuses().await, [1]);
    // Both were told apart.
    let rendered = metrics::render();
    for outcome in ["KNOWN", "UNCHANGED"] {
        let series = format!(r#"homestay_payment_callbacks_total{{outcome="{outcome}",provider="sandbox"}}"#);
        assert!(rendered.contains(&series), "{series}");
    }
}

#[tokio::test]
async fn callbacks_may_come_in_any_order() {
    // Failed after captured: the money is there.
    let world = World::start().await;
    let payment = paid(&world).await;
    assert_eq!(world.call_back(&says("captured", &payment)).await, taken());
    assert_eq!(world.call_back(&says("failed", &payment)).await, taken());
    assert_eq!(world.get(&payment.sn).await.state, "captured");
    assert_eq!(world.statuses().await, [1]);

    // Captured after failed: late money is recorded.
    let world = World::start().await;
    let payment = paid(&world).await;
    assert_eq!(world.call_back(&says("failed", &payment)).await, taken());
    assert_eq!(world.call_back(&says("captured", &payment)).await, taken());
    assert_eq!(world.get(&payment.sn).await.state, "captured");
    assert_eq!(world.statuses().await, [-1, 1]);

    // Refunded before captured: to be told again.
    let world = World::start().await;
    let payment = paid(&world).await;
    assert_eq!(world.call_back(&says("refunded", &payment)).await, failed(409));
    assert_eq!(world.call_back(&says("captured", &payment)).await, taken());
    assert_eq!(world.call_back(&says("refunded", &payment)).await, taken());
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.refunded_cents), ("refunded", 25_600));
    assert_eq!(world.statuses().await, [1, 2]);
}

#[tokio::test]
async fn a_coupon_of_the_providers_does_not_make_the_amount_wrong() {
    let world = World::start().await;
    let payment = paid(&world).await;
    let coupon = Notification {
        payer_total_cents: 20_000,
        ..says("captured", &payment)
    };
    assert_eq!(world.call_back(&coupon).await, taken());
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.amount_cents), ("captured", 25_600));
}

#[tokio::test]
async fn what_does_not_match_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let payment = paid(&world).await;
    let good = says("captured", &payment);
    let wrong = [
        Notification {
            total_cents: 25_599,
            ..good.clone()
        },
        // The payer's part must not stand in for what was due.
        Notification {
            total_cents: 20_000,
            payer_total_cents: 25_600,
            ..good.clone()
        },
        Notification {
            currency: "USD".to_owned(),
            ..good.clone()
        },
        Notification {
            payment_sn: "PMT2026112110155912345678".to_owned(),
            ..good.clone()
        },
        // An order's number is no payment's (holes.md B01).
        Notification {
            payment_sn: payment.order_sn.clone(),
            ..good.clone()
        },
        Notification {
            kind: "paid".to_owned(),
            ..good.clone()
        },
    ];
    for said in wrong {
        assert_eq!(world.call_back(&said).await, failed(400), "{said:?}");
    }
    assert_eq!(world.get(&payment.sn).await.state, "pending");
    assert_eq!(world.count("SELECT COUNT(*) FROM inbox").await, 0);
    // None of them stands in the way of the right one, although they bore its id.
    assert_eq!(world.call_back(&good).await, taken());
}

#[tokio::test]
async fn forged_old_and_unreadable_callbacks_are_answered_and_counted() {
    let world = World::start().await;
    let payment = paid(&world).await;
    let body = serde_json::to_vec(&says("captured", &payment)).unwrap();
    let now_s = world.clock.now_ms() / 1000;
    let signed = |secret: &[u8], at_s: i64, body: &[u8]| Some(sign(secret, at_s, body));
    let cases = [
        ("sandbox", None, b"{}".to_vec(), 401),
        ("sandbox", None, body.clone(), 401),
        ("sandbox", signed(b"guess", now_s, &body), body.clone(), 401),
        (
            "sandbox",
            signed(b"sandbox-secret", now_s - 301, &body),
            body.clone(),
            401,
        ),
        (
            "sandbox",
            signed(b"sandbox-secret", now_s + 301, &body),
            body.clone(),
            401,
        ),
        (
            "sandbox",
            signed(b"sandbox-secret", now_s, b"{}"),
            b"{}".to_vec(),
            400,
        ),
        (
            "sandbox",
            signed(b"sandbox-secret", now_s, b"\xff"),
            b"\xff".to_vec(),
            400,
        ),
        ("wechat", None, b"{}".to_vec(), 400),
        ("", None, Vec::new(), 400),
    ];
    for (provider, signature, body, status) in cases {
        assert_eq!(
            world.call_back_raw(provider, signature, body).await,
            failed(status)
        );
    }
    assert_eq!(world.get(&payment.sn).await.state, "pending");
    let rendered = metrics::render();
    for series in [
        r#"homestay_payment_callbacks_total{outcome="BAD_SIGNATURE",provider="sandbox"}"#,
        r#"homestay_payment_callbacks_total{outcome="BAD_CALLBACK",provider="sandbox"}"#,
        r#"homestay_payment_callbacks_total{outcome="BAD_CALLBACK",provider="unknown"}"#,
    ] {
        assert!(rendered.contains(series), "{series}");
    }
}

#[tokio::test]
async fn a_callback_that_is_not_accepted_is_delivered_again() {
    let world = World::start().await;
    let payment = paid(&world).await;
    world.act(&payment, "pay").await.unwrap();
    world.deaf.store(true, Ordering::Relaxed);
    assert_eq!(world.run_jobs().await, [Code::Unavailable]);
    assert_eq!(world.get(&payment.sn).await.state, "pending");
    world.deaf.store(false, Ordering::Relaxed);
    // Long after the money came: the callback is signed anew.
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(world.run_jobs().await, []);
    let got = world.get(&payment.sn).await;
    assert_eq!((got.state.as_str(), got.captured_at_ms), ("captured", NOW_MS));
}

#[tokio::test]
async fn buttons_work_once_and_only_on_known_pages() {
    let world = World::start().await;
    let payment = paid(&world).await;
    let unknown = pb::SandboxActRequest {
        token: "0".repeat(64),
        action: "pay".to_owned(),
    };
    let refused = world.as_nobody().sandbox_act(unknown).await.unwrap_err();
    assert_eq!(code(refused), Code::NotFound);
    for action in ["", "PAY", "refund"] {
        let refused = world.act(&payment, action).await.unwrap_err();
        assert_eq!(code(refused), Code::InvalidArgument, "{action}");
    }
    for (action, state) in [("pay", "captured"), ("fail", "captured"), ("pay", "captured")] {
        assert_eq!(world.act(&payment, action).await.unwrap().state, state);
    }
    assert_eq!(
        world
            .count("SELECT COUNT(*) FROM outbox WHERE lane = 'job'")
            .await,
        1
    );
    let no_event = pb::SandboxDeliverRequest {
        token: token(&payment),
        what: "callback".to_owned(),
        event_id: format!("refunded-{}", payment.sn),
    };
    let refused = world.as_service().sandbox_deliver(no_event).await.unwrap_err();
    assert_eq!(code(refused), Code::InvalidArgument);
}

#[tokio::test]
async fn paying_is_two_commits_of_ours_that_wait_for_the_disk() {
    let world = World::start().await;
    let db = world.db.db.clone();
    if db.dialect() == homestay_db::Dialect::Sqlite {
        return; // It groups what comes together, so that a count says nothing.
    }
    let payment = paid(&world).await;
    // The intent, and the sandbox's own books; what it answered need not wait.
    assert_eq!(db.commits(), (2, 1));
    assert_eq!(world.call_back(&says("captured", &payment)).await, taken());
    assert_eq!(db.commits(), (3, 1));
}
