//! Tells guest or host that an order is paid, and order-rpc that they were told.

use std::sync::Arc;

use homestay_jobs::{Delivery, Failure};
use homestay_proto::order as pb;
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::usercenter::GetUserRequest;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::Channel;
use serde::Deserialize;

use crate::notifier::{Notification, Notifier, Person, Recipient};

const KIND: &str = "order.paid";

#[derive(Deserialize)]
struct OrderPaid {
    sn: String,
    recipient: Recipient,
}

/// Run again after a failure it tells again, under the same event id: at least once.
pub(crate) async fn tell(
    mut orders: OrderClient<Channel>,
    mut users: UserCenterClient<Channel>,
    notifiers: &[Arc<dyn Notifier>],
    delivery: &Delivery,
) -> Result<(), Failure> {
    let OrderPaid { sn, recipient } = delivery.read()?;
    let order = orders
        .get(pb::GetRequest {
            sn: sn.clone(),
            without_steps: true,
        })
        .await?
        .into_inner();
    if !is_paid(&order.state) {
        tracing::info!(order.sn = %sn, state = %order.state, "nobody is told that an order was paid which is not any more");
        return Ok(());
    }
    let id = match recipient {
        Recipient::Guest => order.user_id,
        Recipient::Host => order.host_id,
    };
    let user = users.get_user(GetUserRequest { id }).await?.into_inner();
    let person = Person {
        id: user.id,
        nickname: user.nickname,
        mobile: user.mobile,
    };
    let notification = notification(order, recipient, person);
    for notifier in notifiers {
        notifier.notify(&notification).await?;
    }
    let told = pb::MarkToldRequest {
        sn,
        recipient: recipient.name().to_owned(),
    };
    orders.mark_told(told).await?;
    Ok(())
}

/// Whether the stay is still paid for: the job may come late, after a cancellation.
fn is_paid(state: &str) -> bool {
    matches!(state, "confirmed" | "used" | "expired")
}

fn notification(order: pb::OrderView, recipient: Recipient, user: Person) -> Notification {
    Notification {
        event_id: format!("{KIND}:{}:{}", order.sn, recipient.name()),
        kind: KIND,
        recipient,
        user,
        title: order.title,
        check_in: order.check_in,
        check_out: order.check_out,
        guests: order.guests,
        total_cents: order.total_cents,
        currency: order.currency,
        trade_code: Some(order.trade_code).filter(|_| recipient == Recipient::Guest),
        order_sn: order.sn,
    }
}
