//! What moves orders along: payment events, the closing job and the sweep, each a call to order-rpc.
//!
//! Handlers decide nothing: "look at this order" is all an event or a job says, and order-rpc does what is due.

use std::time::Duration;

use homestay_bus::{Binding, Source};
use homestay_jobs::{Delivery, Failure};
use homestay_proto::common::Empty;
use homestay_proto::order as pb;
use homestay_proto::order::order_client::OrderClient;
use homestay_rpc::Channel;
use homestay_types::{OrderSn, PaymentStatus, job, topic};
use serde::Deserialize;

/// The consumer group of this process's events.
pub const GROUP: &str = "order-mq";
/// Kind of the job that advances overdue orders.
pub const SWEEP: &str = "order.sweep";
/// How often it runs.
const SWEEP_PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
struct Advance {
    sn: OrderSn,
}

/// The table of this process. `orders` calls with a service's identity.
#[must_use]
pub fn table(orders: &OrderClient<Channel>) -> Vec<Binding> {
    let (paid, due, sweep) = (orders.clone(), orders.clone(), orders.clone());
    vec![
        Binding::new(
            Source::Topic {
                topic: topic::PAYMENT_STATUS,
                group: GROUP,
            },
            move |delivery| {
                let orders = paid.clone();
                async move {
                    let event: PaymentStatus = delivery.read()?;
                    advance(orders, &event.order_sn, &delivery).await
                }
            },
        ),
        Binding::new(Source::Job(job::ORDER_ADVANCE), move |delivery| {
            let orders = due.clone();
            async move {
                let job: Advance = delivery.read()?;
                advance(orders, &job.sn, &delivery).await
            }
        }),
        Binding::new(
            Source::Every {
                kind: SWEEP,
                period: SWEEP_PERIOD,
            },
            move |_| {
                let mut orders = sweep.clone();
                async move {
                    orders.sweep(Empty {}).await?;
                    Ok(())
                }
            },
        ),
    ]
}

async fn advance(mut orders: OrderClient<Channel>, sn: &OrderSn, delivery: &Delivery) -> Result<(), Failure> {
    let request = pb::AdvanceRequest {
        sn: sn.to_string(),
        token: delivery.token,
    };
    orders.advance(request).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
