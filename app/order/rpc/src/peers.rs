//! Calls to travel-rpc and payment-rpc, made as this service.

use homestay_error::Result;
use homestay_proto::payment as pay;
use homestay_proto::travel as tr;
use homestay_rpc::deadline;

use crate::OrderService;
use crate::due::{Money, Payment, PaymentState};
use crate::order::Order;

impl From<pay::PaymentView> for Payment {
    fn from(view: pay::PaymentView) -> Self {
        Self {
            state: match view.state.as_str() {
                "captured" => PaymentState::Captured,
                "refund_pending" => PaymentState::RefundPending,
                "refunded" if view.refunded_cents >= view.amount_cents => PaymentState::Refunded,
                // Part of the money is still owed.
                "refunded" => PaymentState::RefundPending,
                _ => PaymentState::Open,
            },
            sn: view.sn,
            amount_cents: view.amount_cents,
            currency: view.currency,
            captured_at_ms: view.captured_at_ms,
            pay_type: view.pay_type,
        }
    }
}

/// Leaves half of what is left of the request's time to what comes after the call: a peer that hangs must not keep the others
/// from being asked.
async fn in_half_the_time<F: Future>(call: F) -> F::Output {
    match deadline::left() {
        Some(left) => deadline::scope(left / 2, call).await,
        None => call.await,
    }
}

impl OrderService {
    /// Takes nights and meals, or repeats what was answered first for this key.
    pub(crate) async fn hold(&self, request: tr::HoldRequest) -> Result<tr::HoldReply> {
        Ok(self.travel.clone().hold(request).await?.into_inner())
    }

    /// Gives back what the order holds, up to its attempt.
    pub(crate) async fn release(&self, order: &Order) -> Result<()> {
        let request = tr::ReleaseRequest {
            order_sn: order.sn.to_string(),
            attempt: order.attempt,
            only: false,
        };
        self.travel.clone().release(request).await?;
        Ok(())
    }

    /// The payments of an order.
    pub(crate) async fn payments(&self, sn: &str) -> Result<Vec<Payment>> {
        let request = pay::ListForOrderRequest {
            order_sn: sn.to_owned(),
        };
        let list = self.payment.clone().list_for_order(request).await?.into_inner();
        Ok(list.payments.into_iter().map(Payment::from).collect())
    }

    /// The payments of an order, after payment-rpc refused all further ones. Where nothing could be closed, captured
    /// money may be known all the same.
    pub(crate) async fn close_payments(&self, sn: &str) -> Money {
        let request = pay::CloseForOrderRequest {
            order_sn: sn.to_owned(),
            ..Default::default()
        };
        match in_half_the_time(self.payment.clone().close_for_order(request)).await {
            Ok(reply) => Money {
                payments: Some(
                    reply
                        .into_inner()
                        .payments
                        .into_iter()
                        .map(Payment::from)
                        .collect(),
                ),
                closed: true,
                trouble: None,
            },
            Err(status) => Money {
                payments: in_half_the_time(self.payments(sn)).await.ok(),
                closed: false,
                trouble: Some(status.into()),
            },
        }
    }

    /// Records that a payment is to be refunded. Repeating it changes nothing.
    pub(crate) async fn refund(&self, payment_sn: &str, reason: &str) -> Result<()> {
        let request = pay::RefundRequest {
            payment_sn: payment_sn.to_owned(),
            reason: reason.to_owned(),
            ..Default::default()
        };
        self.payment.clone().refund(request).await?;
        Ok(())
    }
}
