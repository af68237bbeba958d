//! Protobuf to use cases and back: one short function a call.

use homestay_proto::common::Empty;
use homestay_proto::payment as pb;
use homestay_proto::payment::payment_server::Payment as Server;
use homestay_rpc::actor;
use tonic::{Request, Response, Status};

use crate::keys::Key;
use crate::sandbox::Charge;
use crate::service::PaymentService;
use crate::store::{Payment, Refund};

type Reply<T> = Result<Response<T>, Status>;

fn payment_view(payment: Payment) -> pb::PaymentView {
    pb::PaymentView {
        sn: payment.sn.into(),
        order_sn: payment.order_sn.into(),
        user_id: payment.user_id,
        provider: payment.provider,
        state: payment.state.as_str().to_owned(),
        amount_cents: payment.amount_cents,
        currency: payment.currency,
        pay_url: payment.pay_url,
        expires_at_ms: payment.expires_at_ms,
        created_at_ms: payment.created_at_ms,
        captured_at_ms: payment.captured_at_ms,
        refunded_cents: payment.refunded_cents,
        provider_ref: payment.provider_ref,
        pay_type: payment.pay_type,
        wechat: None,
        charge: 0,
        refund_reserved_cents: payment.refunded_cents,
    }
}

fn refund_view((refund, payment): (Refund, Payment)) -> pb::RefundView {
    pb::RefundView {
        sn: refund.sn.into(),
        payment_sn: refund.payment_sn.into(),
        order_sn: payment.order_sn.into(),
        amount_cents: refund.amount_cents,
        state: refund.state.as_str().to_owned(),
    }
}

fn charge_view(charge: Charge) -> pb::SandboxCharge {
    pb::SandboxCharge {
        token: charge.token,
        payment_sn: charge.payment_sn,
        description: charge.description,
        amount_cents: charge.amount_cents,
        currency: charge.currency,
        state: charge.state.as_str().to_owned(),
        expires_at_ms: charge.expires_at_ms,
    }
}

#[tonic::async_trait]
impl Server for PaymentService {
    async fn create(&self, request: Request<pb::CreateRequest>) -> Reply<pb::PaymentView> {
        let actor = actor(&request);
        let pb::CreateRequest {
            order_sn,
            service_type,
            idempotency_key,
            route,
        } = request.into_inner();
        let key = Key::new(route, idempotency_key);
        let payment = PaymentService::create(self, &actor, &order_sn, &service_type, key).await;
        Ok(Response::new(payment_view(payment.map_err(Status::from)?)))
    }

    async fn get(&self, request: Request<pb::GetRequest>) -> Reply<pb::PaymentView> {
        let payment = self.payment(&actor(&request), &request.get_ref().sn).await;
        Ok(Response::new(payment_view(payment.map_err(Status::from)?)))
    }

    async fn list_for_order(&self, request: Request<pb::ListForOrderRequest>) -> Reply<pb::PaymentList> {
        let payments = self
            .payments_of_order(&actor(&request), &request.get_ref().order_sn)
            .await
            .map_err(Status::from)?;
        Ok(Response::new(pb::PaymentList {
            payments: payments.into_iter().map(payment_view).collect(),
        }))
    }

    async fn close_for_order(
        &self,
        request: Request<pb::CloseForOrderRequest>,
    ) -> Reply<pb::CloseForOrderReply> {
        let payments = PaymentService::close_for_order(self, &request.get_ref().order_sn)
            .await
            .map_err(Status::from)?;
        Ok(Response::new(pb::CloseForOrderReply {
            payments: payments.into_iter().map(payment_view).collect(),
        }))
    }

    async fn refund(&self, request: Request<pb::RefundRequest>) -> Reply<pb::RefundView> {
        let pb::RefundRequest {
            payment_sn, reason, ..
        } = request.into_inner();
        let refund = PaymentService::refund(self, &payment_sn, &reason).await;
        Ok(Response::new(refund_view(refund.map_err(Status::from)?)))
    }

    async fn execute_refund(&self, request: Request<pb::ExecuteRefundRequest>) -> Reply<pb::RefundView> {
        let refund = PaymentService::execute_refund(self, &request.get_ref().refund_sn).await;
        Ok(Response::new(refund_view(refund.map_err(Status::from)?)))
    }

    async fn callback(&self, request: Request<pb::CallbackRequest>) -> Reply<pb::CallbackReply> {
        let request = request.into_inner();
        let reply = PaymentService::callback(self, &request.provider, &request.headers, &request.body).await;
        Ok(Response::new(pb::CallbackReply {
            status: i32::from(reply.status),
            content_type: "text/plain; charset=utf-8".to_owned(),
            body: reply.text.as_bytes().to_vec(),
        }))
    }

    async fn sweep(&self, _: Request<Empty>) -> Reply<pb::SweepReply> {
        let looked_at = PaymentService::sweep(self).await.map_err(Status::from)?;
        Ok(Response::new(pb::SweepReply { looked_at }))
    }

    async fn sandbox_page(&self, request: Request<pb::SandboxPageRequest>) -> Reply<pb::SandboxCharge> {
        let sandbox = self.sandbox().map_err(Status::from)?;
        let charge = sandbox.page(&request.get_ref().token).await;
        Ok(Response::new(charge_view(charge.map_err(Status::from)?)))
    }

    async fn sandbox_act(&self, request: Request<pb::SandboxActRequest>) -> Reply<pb::SandboxCharge> {
        let sandbox = self.sandbox().map_err(Status::from)?;
        let charge = sandbox
            .act(&request.get_ref().token, &request.get_ref().action)
            .await;
        Ok(Response::new(charge_view(charge.map_err(Status::from)?)))
    }

    async fn sandbox_deliver(&self, request: Request<pb::SandboxDeliverRequest>) -> Reply<Empty> {
        let sandbox = self.sandbox().map_err(Status::from)?;
        let pb::SandboxDeliverRequest {
            token,
            what,
            event_id,
        } = request.into_inner();
        sandbox
            .deliver(&token, &what, &event_id)
            .await
            .map_err(Status::from)?;
        Ok(Response::new(Empty {}))
    }
}
