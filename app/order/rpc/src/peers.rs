//! Calls to travel-rpc and payment-rpc, made as this service.

use homestay_error::Result;
use homestay_proto::common::Quote;
use homestay_proto::payment as pay;
use homestay_proto::travel as tr;
use homestay_rpc::deadline;

use crate::OrderService;
use crate::books::Change;
use crate::due::{Closing, Money, Owed, Payment, PaymentState};
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
            charge: view.charge,
            refunded_cents: view.refunded_cents,
            reserved_cents: view.refund_reserved_cents.max(view.refunded_cents),
            amount_cents: view.amount_cents,
            currency: view.currency,
            captured_at_ms: view.captured_at_ms,
            pay_type: view.pay_type,
        }
    }
}

/// Leaves half of what is left of the request's time to what comes after the call: a peer that hangs must not keep the others
/// from being asked.
pub(crate) async fn in_half_the_time<F: Future>(call: F) -> F::Output {
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

    /// Gives back what the order holds up to an attempt, or under that attempt only.
    pub(crate) async fn release(&self, order: &Order, attempt: i64, only: bool) -> Result<()> {
        let request = tr::ReleaseRequest {
            order_sn: order.sn.to_string(),
            attempt,
            only,
        };
        self.travel.clone().release(request).await?;
        Ok(())
    }

    /// What a stay costs today.
    pub(crate) async fn quote(&self, request: tr::GetQuoteRequest) -> Result<Quote> {
        Ok(self.travel.clone().get_quote(request).await?.into_inner())
    }

    /// The payments of an order.
    pub(crate) async fn payments(&self, sn: &str) -> Result<Vec<Payment>> {
        let request = pay::ListForOrderRequest {
            order_sn: sn.to_owned(),
        };
        let list = self.payment.clone().list_for_order(request).await?.into_inner();
        Ok(list.payments.into_iter().map(Payment::from).collect())
    }

    /// The payments of an order, after payment-rpc refused all further ones for what is to be closed. Where nothing could be closed, captured
    /// money may be known all the same.
    pub(crate) async fn close_payments(&self, sn: &str, told: Closing) -> Money {
        let request = pay::CloseForOrderRequest {
            order_sn: sn.to_owned(),
            charge: match told {
                Closing::Charge(charge) => charge,
                Closing::Nothing | Closing::All => 0,
            },
            all_charges: told == Closing::All,
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
                told,
                closed: true,
                trouble: None,
            },
            Err(status) => Money {
                payments: in_half_the_time(self.payments(sn)).await.ok(),
                told,
                closed: false,
                trouble: Some(status.into()),
            },
        }
    }

    /// Records that a payment, or part of it, is to be refunded; how much. Repeating it changes nothing.
    pub(crate) async fn refund(&self, owed: &Owed<'_>) -> Result<i64> {
        let request = pay::RefundRequest {
            payment_sn: owed.payment_sn.to_owned(),
            reason: owed.reason.to_owned(),
            amount_cents: owed.amount_cents,
            key: owed.key.to_owned(),
        };
        let refund = self.payment.clone().refund(request).await?.into_inner();
        Ok(refund.amount_cents)
    }

    /// Tells payment-rpc what is kept of a cancelled booking. Repeating it changes nothing.
    pub(crate) async fn settle(&self, order: &Order) -> Result<()> {
        let request = pay::SettleRequest {
            order_sn: order.sn.to_string(),
            host_id: order.house.host_id,
            currency: order.currency.clone(),
            amount_cents: order.kept_cents,
            key: "cancel".to_owned(),
        };
        self.payment.clone().settle(request).await?;
        Ok(())
    }

    /// Has an operator look at a refund that payment-rpc will not make.
    pub(crate) async fn open_case(&self, order: &Order, owed: &Owed<'_>, why: &str) -> Result<()> {
        let request = pay::OpenCaseRequest {
            kind: "refund_refused".to_owned(),
            r#ref: format!("{}:{}", owed.payment_sn, owed.key),
            order_sn: order.sn.to_string(),
            payment_sn: owed.payment_sn.to_owned(),
            amount_cents: owed.amount_cents,
            currency: order.currency.clone(),
            detail: format!("{}: {why}", owed.reason),
            ..Default::default()
        };
        self.payment.clone().open_case(request).await?;
        Ok(())
    }

    /// Has an operator look at kept money of a cancelled booking that is not there any more.
    pub(crate) async fn open_kept_case(&self, order: &Order, cents: i64, why: &str) -> Result<()> {
        let request = pay::OpenCaseRequest {
            kind: "kept_money_gone".to_owned(),
            r#ref: format!("{}:{}", order.sn, order.kept_cents),
            order_sn: order.sn.to_string(),
            amount_cents: cents,
            currency: order.currency.clone(),
            detail: format!("{} were kept: {why}", order.kept_cents),
            ..Default::default()
        };
        self.payment.clone().open_case(request).await?;
        Ok(())
    }

    /// Takes what a change needs, beside what the booking has.
    pub(crate) async fn hold_beside(
        &self,
        order: &Order,
        change: &Change,
        key: String,
        expected_total_cents: i64,
    ) -> Result<tr::HoldReply> {
        self.hold(tr::HoldRequest {
            hold_key: key,
            order_sn: order.sn.to_string(),
            attempt: change.attempt,
            house_id: order.house.id,
            check_in: homestay_types::date_of_number(change.check_in_day).to_string(),
            check_out: homestay_types::date_of_number(change.check_out_day).to_string(),
            guests: change.guests,
            meals: change.meals,
            fingerprint: change.fingerprint.clone(),
            expected_total_cents,
            start_s: 0,
            end_s: 0,
            new_booking: true,
            change_of_attempt: change.from_attempt,
        })
        .await
    }
}
