//! Protobuf to use cases and back: one short function a call.

use homestay_error::Error;
use homestay_proto::common::Empty;
use homestay_proto::payment as pb;
use homestay_proto::payment::payment_server::Payment as Server;
use homestay_rpc::actor;
use tonic::{Request, Response, Status};

use crate::cases::{Case, Entry, NewCase};
use crate::keys::Key;
use crate::ledger::Kept;
use crate::provider::WechatPrepay;
use crate::refund_rule::Ask;
use crate::sandbox::Charge;
use crate::service::PaymentService;
use crate::store::case::Filter;
use crate::store::refund::Refund;
use crate::store::{Charges, Payment};

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
        charge: payment.charge,
        refund_reserved_cents: payment.refund_reserved_cents,
    }
}

fn wechat_view(fields: WechatPrepay) -> pb::WechatPrepay {
    pb::WechatPrepay {
        appid: fields.appid,
        nonce_str: fields.nonce_str,
        pay_sign: fields.pay_sign,
        package: fields.package,
        timestamp: fields.timestamp,
        sign_type: fields.sign_type,
    }
}

fn refund_view((refund, payment): (Refund, Payment)) -> pb::RefundView {
    pb::RefundView {
        sn: refund.sn.into(),
        payment_sn: refund.payment_sn.into(),
        order_sn: payment.order_sn.into(),
        amount_cents: refund.amount_cents,
        state: refund.state.as_str().to_owned(),
        key: refund.key,
        failure: refund.failure,
    }
}

fn case_view(case: Case, history: Vec<Entry>) -> pb::Case {
    let NewCase {
        kind,
        reference,
        order_sn,
        payment_sn,
        refund_sn,
        provider,
        amount_cents,
        currency,
        detail,
    } = case.new;
    pb::Case {
        id: case.id,
        kind,
        r#ref: reference,
        order_sn,
        payment_sn,
        refund_sn,
        provider,
        amount_cents,
        currency,
        detail,
        state: if case.open { "open" } else { "resolved" }.to_owned(),
        opened_at_ms: case.opened_at_ms,
        resolved_at_ms: case.resolved_at_ms,
        resolved_by: case.resolved_by,
        resolution: case.resolution,
        action: case.action,
        history: history.into_iter().map(entry_view).collect(),
    }
}

fn entry_view(entry: Entry) -> pb::CaseEntry {
    pb::CaseEntry {
        id: entry.id,
        kind: entry.kind,
        author: entry.author,
        text: entry.text,
        action: entry.action,
        at_ms: entry.at_ms,
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
        let payment = PaymentService::create(self, &actor, &order_sn, &service_type, key)
            .await
            .map_err(Status::from)?;
        let wechat = self.in_browser(&payment).map_err(Status::from)?;
        Ok(Response::new(pb::PaymentView {
            wechat: wechat.map(wechat_view),
            ..payment_view(payment)
        }))
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
        let request = request.into_inner();
        let charges = if request.all_charges {
            Charges::All
        } else {
            Charges::One(request.charge)
        };
        let payments = PaymentService::close_for_order(self, &request.order_sn, charges)
            .await
            .map_err(Status::from)?;
        Ok(Response::new(pb::CloseForOrderReply {
            payments: payments.into_iter().map(payment_view).collect(),
        }))
    }

    async fn refund(&self, request: Request<pb::RefundRequest>) -> Reply<pb::RefundView> {
        let pb::RefundRequest {
            payment_sn,
            reason,
            amount_cents,
            key,
        } = request.into_inner();
        let ask = Ask {
            amount_cents,
            key,
            reason,
        };
        let refund = PaymentService::refund(self, &payment_sn, ask).await;
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
            content_type: reply.content_type.to_owned(),
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

    async fn settle(&self, request: Request<pb::SettleRequest>) -> Reply<pb::SettleReply> {
        let request = request.into_inner();
        let order_sn = request.order_sn.parse();
        let kept = Kept {
            order_sn: order_sn.map_err(|cause| Status::from(Error::invalid("orderSn", cause)))?,
            host_id: request.host_id,
            currency: request.currency,
            cents: request.amount_cents,
            key: request.key,
        };
        let (host_cents, commission_cents) =
            PaymentService::settle(self, kept).await.map_err(Status::from)?;
        Ok(Response::new(pb::SettleReply {
            host_cents,
            commission_cents,
        }))
    }

    async fn open_case(&self, request: Request<pb::OpenCaseRequest>) -> Reply<pb::Case> {
        let request = request.into_inner();
        let new = NewCase {
            kind: request.kind,
            reference: request.r#ref,
            order_sn: request.order_sn,
            payment_sn: request.payment_sn,
            refund_sn: request.refund_sn,
            provider: request.provider,
            amount_cents: request.amount_cents,
            currency: request.currency,
            detail: request.detail,
        };
        let case = PaymentService::open_case(self, new).await.map_err(Status::from)?;
        Ok(Response::new(case_view(case, Vec::new())))
    }

    async fn list_cases(&self, request: Request<pb::ListCasesRequest>) -> Reply<pb::CaseList> {
        let request = request.into_inner();
        let filter = Filter {
            before_id: request.last_id,
            limit: request.limit,
            state: request.state,
            kind: request.kind,
        };
        let cases = self.cases(filter).await.map_err(Status::from)?;
        Ok(Response::new(pb::CaseList {
            cases: cases
                .into_iter()
                .map(|case| case_view(case, Vec::new()))
                .collect(),
        }))
    }

    async fn get_case(&self, request: Request<pb::GetCaseRequest>) -> Reply<pb::Case> {
        self.whole_case(request.get_ref().id).await
    }

    async fn note_case(&self, request: Request<pb::NoteCaseRequest>) -> Reply<pb::Case> {
        let actor = actor(&request);
        let pb::NoteCaseRequest {
            id,
            text,
            idempotency_key,
        } = request.into_inner();
        PaymentService::note_case(self, &actor, id, &text, &idempotency_key)
            .await
            .map_err(Status::from)?;
        self.whole_case(id).await
    }

    async fn resolve_case(&self, request: Request<pb::ResolveCaseRequest>) -> Reply<pb::Case> {
        let actor = actor(&request);
        let pb::ResolveCaseRequest {
            id,
            resolution,
            action,
            idempotency_key,
        } = request.into_inner();
        PaymentService::resolve_case(self, &actor, id, &resolution, &action, &idempotency_key)
            .await
            .map_err(Status::from)?;
        self.whole_case(id).await
    }
}

impl PaymentService {
    async fn whole_case(&self, id: i64) -> Reply<pb::Case> {
        let (case, history) = self.case(id).await.map_err(Status::from)?;
        Ok(Response::new(case_view(case, history)))
    }
}
