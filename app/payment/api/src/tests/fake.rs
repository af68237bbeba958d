use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::payment as pb;
use homestay_proto::payment::payment_server::Payment;
use homestay_testkit::NOW_MS;
use tonic::Status;

use super::{ORDER, PAYMENT};

/// Answers as payment-rpc would.
pub(super) struct FakePayment;

type Reply<T> = Result<tonic::Response<T>, Status>;

fn actor<T>(request: &tonic::Request<T>) -> String {
    let actor = request.metadata().get("x-homestay-actor").unwrap();
    actor.to_str().unwrap().to_owned()
}

fn view() -> pb::PaymentView {
    pb::PaymentView {
        sn: PAYMENT.to_owned(),
        order_sn: ORDER.to_owned(),
        user_id: 7,
        provider: "sandbox".to_owned(),
        state: "pending".to_owned(),
        amount_cents: 25_600,
        currency: "CNY".to_owned(),
        pay_url: "http://127.0.0.1:8888/sandbox/pay/t".to_owned(),
        expires_at_ms: NOW_MS + 1_800_000,
        created_at_ms: NOW_MS,
        ..Default::default()
    }
}

fn charge(state: &str) -> pb::SandboxCharge {
    pb::SandboxCharge {
        token: "t".to_owned(),
        payment_sn: PAYMENT.to_owned(),
        description: "Lake house <b>&</b>, 2026-12-01 to 2026-12-03".to_owned(),
        amount_cents: 25_600,
        currency: "CNY".to_owned(),
        state: state.to_owned(),
        expires_at_ms: NOW_MS + 1_800_000,
    }
}

#[tonic::async_trait]
impl Payment for FakePayment {
    async fn create(&self, request: tonic::Request<pb::CreateRequest>) -> Reply<pb::PaymentView> {
        assert_eq!(actor(&request), "user/7/guest");
        let request = request.into_inner();
        if request.idempotency_key == "used" {
            assert_eq!(request.route, "POST /v1/payments");
            return Err(Error::new(Code::IdempotencyKeyReused).into());
        }
        if request.service_type != "homestayOrder" {
            return Err(Error::new(Code::ServiceType).into());
        }
        match request.order_sn.as_str() {
            ORDER => Ok(tonic::Response::new(view())),
            "wechat" => Ok(tonic::Response::new(pb::PaymentView {
                pay_url: String::new(),
                wechat: Some(pb::WechatPrepay {
                    appid: "wx1".to_owned(),
                    nonce_str: "n".to_owned(),
                    pay_sign: "s".to_owned(),
                    package: "prepay_id=1".to_owned(),
                    timestamp: "1795219200".to_owned(),
                    sign_type: "RSA".to_owned(),
                }),
                ..view()
            })),
            "cancelled" => Err(Error::new(Code::NotPayable).into()),
            "down" => Err(Error::new(Code::Provider).into()),
            _ => Err(Error::new(Code::OrderNotFound).into()),
        }
    }

    async fn get(&self, request: tonic::Request<pb::GetRequest>) -> Reply<pb::PaymentView> {
        assert_eq!(actor(&request), "user/7/guest");
        if request.get_ref().sn != PAYMENT {
            return Err(Error::new(Code::PaymentNotFound).into());
        }
        Ok(tonic::Response::new(pb::PaymentView {
            state: "captured".to_owned(),
            captured_at_ms: NOW_MS + 1,
            ..view()
        }))
    }

    /// Takes what says "good", refuses all else, and says what it was given.
    async fn callback(&self, request: tonic::Request<pb::CallbackRequest>) -> Reply<pb::CallbackReply> {
        assert_eq!(actor(&request), "anonymous");
        let request = request.into_inner();
        let good = request.body == b"good" && request.headers.contains_key("sandbox-signature");
        if request.body == b"fail" {
            return Err(Error::internal("broken").into());
        }
        let (status, body) = if good {
            (200, format!("SUCCESS {}", request.provider))
        } else {
            (400, "FAIL".to_owned())
        };
        Ok(tonic::Response::new(pb::CallbackReply {
            status,
            content_type: "text/plain; charset=utf-8".to_owned(),
            body: body.into_bytes(),
        }))
    }

    async fn sandbox_page(
        &self,
        request: tonic::Request<pb::SandboxPageRequest>,
    ) -> Reply<pb::SandboxCharge> {
        assert_eq!(actor(&request), "anonymous");
        match request.get_ref().token.as_str() {
            "t" => Ok(tonic::Response::new(charge("open"))),
            _ => Err(Error::new(Code::NotFound).into()),
        }
    }

    async fn sandbox_act(&self, request: tonic::Request<pb::SandboxActRequest>) -> Reply<pb::SandboxCharge> {
        let request = request.into_inner();
        match (request.token.as_str(), request.action.as_str()) {
            ("t", "pay") => Ok(tonic::Response::new(charge("captured"))),
            ("t", "fail") => Ok(tonic::Response::new(charge("failed"))),
            ("t", "pay-late") => Ok(tonic::Response::new(charge("late"))),
            ("t", _) => Err(Error::invalid("action", "must be pay, fail or pay-late").into()),
            _ => Err(Error::new(Code::NotFound).into()),
        }
    }

    async fn list_for_order(&self, _: tonic::Request<pb::ListForOrderRequest>) -> Reply<pb::PaymentList> {
        unreachable!("no route")
    }
    async fn close_for_order(
        &self,
        _: tonic::Request<pb::CloseForOrderRequest>,
    ) -> Reply<pb::CloseForOrderReply> {
        unreachable!("no route")
    }
    async fn refund(&self, _: tonic::Request<pb::RefundRequest>) -> Reply<pb::RefundView> {
        unreachable!("no route")
    }
    async fn execute_refund(&self, _: tonic::Request<pb::ExecuteRefundRequest>) -> Reply<pb::RefundView> {
        unreachable!("no route")
    }
    async fn sweep(&self, _: tonic::Request<Empty>) -> Reply<pb::SweepReply> {
        unreachable!("no route")
    }
    async fn sandbox_deliver(&self, _: tonic::Request<pb::SandboxDeliverRequest>) -> Reply<Empty> {
        unreachable!("no route")
    }
    async fn settle(&self, _: tonic::Request<pb::SettleRequest>) -> Reply<pb::SettleReply> {
        unreachable!("not called")
    }
    async fn open_case(&self, _: tonic::Request<pb::OpenCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }

    async fn list_cases(&self, request: tonic::Request<pb::ListCasesRequest>) -> Reply<pb::CaseList> {
        staff(&request)?;
        let request = request.into_inner();
        if !matches!(request.state.as_str(), "" | "open" | "resolved") {
            return Err(Error::invalid("state", "must be open or resolved").into());
        }
        let upto = if request.last_id == 0 { 5 } else { request.last_id };
        let ids = (1..upto).rev().take(usize::try_from(request.limit).unwrap());
        Ok(tonic::Response::new(pb::CaseList {
            cases: ids
                .map(|id| pb::Case {
                    history: Vec::new(),
                    ..case(id)
                })
                .collect(),
        }))
    }

    async fn get_case(&self, request: tonic::Request<pb::GetCaseRequest>) -> Reply<pb::Case> {
        staff(&request)?;
        match request.get_ref().id {
            4 => Ok(tonic::Response::new(case(4))),
            _ => Err(Error::new(Code::CaseNotFound).into()),
        }
    }

    async fn note_case(&self, request: tonic::Request<pb::NoteCaseRequest>) -> Reply<pb::Case> {
        staff(&request)?;
        let request = request.into_inner();
        if request.idempotency_key == "used" {
            return Err(Error::new(Code::IdempotencyKeyReused).into());
        }
        assert_eq!(
            (request.text.as_str(), request.idempotency_key.as_str()),
            ("called the bank", "n1")
        );
        Ok(tonic::Response::new(case(request.id)))
    }

    async fn resolve_case(&self, request: tonic::Request<pb::ResolveCaseRequest>) -> Reply<pb::Case> {
        staff(&request)?;
        let request = request.into_inner();
        match (request.resolution.as_str(), request.action.as_str()) {
            ("paid by hand", "") => Ok(tonic::Response::new(pb::Case {
                state: "resolved".to_owned(),
                resolved_at_ms: NOW_MS + 1,
                resolved_by: "user/9/operator".to_owned(),
                resolution: request.resolution,
                action: "none".to_owned(),
                ..case(request.id)
            })),
            (_, "retry_refund") => Err(Error::new(Code::PaymentState).into()),
            _ => Err(Error::new(Code::CaseState).into()),
        }
    }
}

/// As the guard would refuse it.
fn staff<T>(request: &tonic::Request<T>) -> Result<(), Status> {
    match actor(request).as_str() {
        "user/9/operator" => Ok(()),
        _ => Err(Error::new(Code::Forbidden).into()),
    }
}

fn case(id: i64) -> pb::Case {
    pb::Case {
        id,
        kind: "refund_refused".to_owned(),
        r#ref: "RFD1".to_owned(),
        order_sn: ORDER.to_owned(),
        payment_sn: PAYMENT.to_owned(),
        refund_sn: "RFD1".to_owned(),
        provider: "sandbox".to_owned(),
        amount_cents: 100,
        currency: "CNY".to_owned(),
        detail: "no".to_owned(),
        state: "open".to_owned(),
        opened_at_ms: NOW_MS,
        history: vec![pb::CaseEntry {
            id: 9,
            kind: "note".to_owned(),
            author: "user/9/operator".to_owned(),
            text: "called the bank".to_owned(),
            action: String::new(),
            at_ms: NOW_MS,
        }],
        ..Default::default()
    }
}
