//! What payment-mq does: jobs in, calls to payment-rpc out.

use std::time::Duration;

use homestay_bus::{Binding, Source};
use homestay_jobs::{Delivery, Failure};
use homestay_proto::common::Empty;
use homestay_proto::payment as pb;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_rpc::Channel;
use homestay_types::job;
use serde::Deserialize;

/// How often overdue payments and refunds are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// The process's table. `payment` must carry this process's own identity.
#[must_use]
pub fn table(payment: &PaymentClient<Channel>) -> Vec<Binding> {
    let row = |source, run: fn(PaymentClient<Channel>, Delivery) -> Run| {
        let payment = payment.clone();
        Binding::new(source, move |delivery| run(payment.clone(), delivery))
    };
    vec![
        row(Source::Job(job::PAYMENT_REFUND), |payment, delivery| {
            Box::pin(refund(payment, delivery))
        }),
        row(Source::Job(job::PAYMENT_SANDBOX), |payment, delivery| {
            Box::pin(sandbox(payment, delivery))
        }),
        row(
            Source::Every {
                kind: job::PAYMENT_SWEEP,
                period: SWEEP,
            },
            |payment, _| Box::pin(sweep(payment)),
        ),
    ]
}

type Run = futures::future::BoxFuture<'static, Result<(), Failure>>;

#[derive(Deserialize)]
struct Refund {
    refund_sn: String,
}

async fn refund(mut payment: PaymentClient<Channel>, delivery: Delivery) -> Result<(), Failure> {
    let Refund { refund_sn } = delivery.read()?;
    // One that the provider refused is done here: it is an open case, and a person's word makes a new job of it.
    payment
        .execute_refund(pb::ExecuteRefundRequest { refund_sn })
        .await?;
    Ok(())
}

#[derive(Deserialize)]
struct Deliver {
    token: String,
    what: String,
    event_id: String,
}

async fn sandbox(mut payment: PaymentClient<Channel>, delivery: Delivery) -> Result<(), Failure> {
    let Deliver {
        token,
        what,
        event_id,
    } = delivery.read()?;
    let request = pb::SandboxDeliverRequest {
        token,
        what,
        event_id,
    };
    payment.sandbox_deliver(request).await?;
    Ok(())
}

async fn sweep(mut payment: PaymentClient<Channel>) -> Result<(), Failure> {
    payment.sweep(Empty {}).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
