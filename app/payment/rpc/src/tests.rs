//! Payment-rpc behind its guard, over a real database, a fake order-rpc, and the sandbox with faults in front of it. Its
//! callbacks travel over HTTP to a small listener that hands them to the Callback method.

mod again;
mod books;
mod callback;
mod cases;
mod charges;
mod close;
mod create;
mod disputed;
mod fake_orders;
mod late;
mod listener;
mod migration;
mod operator;
mod orders;
mod parts;
mod passed_on;
mod prune;
mod refund;
mod road;
mod roads;
mod settlement;
mod shaky;
mod support;
mod sweep;
mod users;
mod walks;

use homestay_error::Code;
use homestay_proto::payment as pb;

use self::support::{GUEST, STAFF, STRANGER, World, code};
use crate::store::Payment;
use crate::{METHODS, State};

/// A payment over 256 yuan, as its row would be.
pub(crate) fn a_payment() -> Payment {
    Payment {
        id: 1,
        sn: "PMT2026112110160000000002".parse().unwrap(),
        order_sn: "HSO2026112110155900000001".parse().unwrap(),
        charge: 0,
        user_id: GUEST,
        provider: "sandbox".to_owned(),
        pay_type: "SANDBOX".to_owned(),
        description: String::new(),
        state: State::Created,
        live: true,
        amount_cents: 25_600,
        refunded_cents: 0,
        refund_reserved_cents: 0,
        currency: "CNY".to_owned(),
        pay_url: String::new(),
        provider_ref: String::new(),
        expires_at_ms: 0,
        created_at_ms: 0,
        captured_at_ms: 0,
    }
}

#[test]
fn the_method_table_names_every_method() {
    homestay_testkit::assert_methods_cover("homestay.payment.v1.Payment", METHODS);
}

#[tokio::test]
async fn a_payment_is_seen_by_its_payer_staff_and_services_only() {
    let world = World::start().await;
    let order = world.order(25_600);
    let payment = world.create(&order).await.unwrap();
    for (who, sees) in [
        (world.as_user(GUEST), true),
        (world.as_user(STRANGER), false),
        (world.as_staff(STAFF), true),
        (world.as_service(), true),
    ] {
        let got = who
            .clone()
            .get(pb::GetRequest {
                sn: payment.sn.clone(),
            })
            .await;
        let list = who
            .clone()
            .list_for_order(pb::ListForOrderRequest {
                order_sn: order.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .payments;
        match got {
            Ok(view) => {
                assert!(sees);
                assert_eq!(list, [view.into_inner()]);
            }
            Err(status) => {
                assert!(!sees);
                assert_eq!(code(status), Code::PaymentNotFound);
                assert!(list.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_guest_may_not_close_refund_or_sweep() {
    let world = World::start().await;
    let order = world.order(100);
    let payment = world.create(&order).await.unwrap();
    let mut guest = world.as_user(GUEST);
    let close = pb::CloseForOrderRequest {
        order_sn: order.clone(),
        ..Default::default()
    };
    assert_eq!(
        code(guest.close_for_order(close).await.unwrap_err()),
        Code::Forbidden
    );
    let refund = pb::RefundRequest {
        payment_sn: payment.sn,
        ..Default::default()
    };
    assert_eq!(code(guest.refund(refund).await.unwrap_err()), Code::Forbidden);
    let sweep = guest.sweep(homestay_proto::common::Empty {}).await;
    assert_eq!(code(sweep.unwrap_err()), Code::Forbidden);
}
