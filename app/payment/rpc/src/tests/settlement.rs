use homestay_error::Code;
use homestay_proto::payment as pb;

use super::books::{assert_books, balances};
use super::support::{World, code};

fn kept(order_sn: &str, cents: i64, key: &str) -> pb::SettleRequest {
    pb::SettleRequest {
        order_sn: order_sn.to_owned(),
        host_id: 3,
        currency: "CNY".to_owned(),
        amount_cents: cents,
        key: key.to_owned(),
    }
}

#[tokio::test]
async fn kept_money_goes_to_the_host_less_our_commission_once_a_key() {
    let world = World::with_rates(60, 1_000).await;
    let payment = world.captured(25_600).await;
    world.refund_part(&payment.sn, 12_800, "cancel").await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    for _ in 0..3 {
        let request = kept(&payment.order_sn, 12_800, "cancel");
        let reply = world.as_service().settle(request).await.unwrap().into_inner();
        assert_eq!((reply.host_cents, reply.commission_cents), (11_520, 1_280));
    }
    let other = kept(&payment.order_sn, 12_799, "cancel");
    let refused = world.as_service().settle(other).await.unwrap_err();
    assert_eq!(code(refused), Code::IdempotencyKeyReused);
    assert_eq!(
        balances(&world.db.db).await,
        [
            ("commission".to_owned(), 1_280),
            ("host_payable".to_owned(), 11_520),
            ("provider:sandbox".to_owned(), -12_800 + 154),
            ("provider_fees".to_owned(), -154),
        ]
    );
    assert_books(&world).await;
}

#[tokio::test]
async fn no_more_is_passed_on_than_was_captured_and_does_not_go_back() {
    let world = World::start().await;
    let payment = world.captured(25_600).await;
    world.refund_part(&payment.sn, 600, "a").await.unwrap();
    let sn = payment.order_sn.as_str();
    for (request, want) in [
        (kept(sn, 25_001, "x"), Code::PaymentState),
        (kept(sn, 0, "x"), Code::InvalidArgument),
        (kept(sn, 1, ""), Code::InvalidArgument),
        (kept("nonsense", 1, "x"), Code::InvalidArgument),
        (kept(&world.order(100), 1, "x"), Code::PaymentState),
        (
            pb::SettleRequest {
                currency: "USD".to_owned(),
                ..kept(sn, 1, "x")
            },
            Code::PaymentState,
        ),
    ] {
        let refused = world.as_service().settle(request.clone()).await.unwrap_err();
        assert_eq!(code(refused), want, "{request:?}");
    }
    world.as_service().settle(kept(sn, 20_000, "x")).await.unwrap();
    let refused = world.as_service().settle(kept(sn, 5_001, "y")).await.unwrap_err();
    assert_eq!(code(refused), Code::PaymentState);
    world.as_service().settle(kept(sn, 5_000, "y")).await.unwrap();
    assert_eq!(world.run_jobs().await, []);
    assert_eq!(
        balances(&world.db.db).await,
        [
            ("host_payable".to_owned(), 25_000),
            ("provider:sandbox".to_owned(), -25_000)
        ]
    );
    assert_books(&world).await;
}
