use std::sync::{Arc, Mutex};

use homestay_error::{Code, Error};
use homestay_proto::payment::payment_server::{Payment, PaymentServer};
use tonic::{Request, Response, Status};

use super::*;

type Reply<T> = Result<Response<T>, Status>;

/// Notes what it is asked, and answers with the next of `errors`.
#[derive(Clone, Default)]
struct FakePayment {
    asked: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<Error>>>,
}

impl FakePayment {
    fn answer<T>(&self, asked: String, reply: T) -> Reply<T> {
        self.asked.lock().unwrap().push(asked);
        match self.errors.lock().unwrap().pop() {
            Some(error) => Err(error.into()),
            None => Ok(Response::new(reply)),
        }
    }
}

#[tonic::async_trait]
impl Payment for FakePayment {
    async fn execute_refund(&self, request: Request<pb::ExecuteRefundRequest>) -> Reply<pb::RefundView> {
        let sn = &request.get_ref().refund_sn;
        let state = if sn == "RFD-refused" { "failed" } else { "pending" };
        self.answer(
            format!("refund {sn}"),
            pb::RefundView {
                sn: sn.clone(),
                state: state.to_owned(),
                ..Default::default()
            },
        )
    }
    async fn sandbox_deliver(&self, request: Request<pb::SandboxDeliverRequest>) -> Reply<Empty> {
        let request = request.get_ref();
        let asked = format!("deliver {} {} {}", request.token, request.what, request.event_id);
        self.answer(asked, Empty {})
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<pb::SweepReply> {
        self.answer("sweep".to_owned(), pb::SweepReply::default())
    }
    async fn create(&self, _: Request<pb::CreateRequest>) -> Reply<pb::PaymentView> {
        unreachable!("not called")
    }
    async fn get(&self, _: Request<pb::GetRequest>) -> Reply<pb::PaymentView> {
        unreachable!("not called")
    }
    async fn list_for_order(&self, _: Request<pb::ListForOrderRequest>) -> Reply<pb::PaymentList> {
        unreachable!("not called")
    }
    async fn close_for_order(&self, _: Request<pb::CloseForOrderRequest>) -> Reply<pb::CloseForOrderReply> {
        unreachable!("not called")
    }
    async fn refund(&self, _: Request<pb::RefundRequest>) -> Reply<pb::RefundView> {
        unreachable!("not called")
    }
    async fn callback(&self, _: Request<pb::CallbackRequest>) -> Reply<pb::CallbackReply> {
        unreachable!("not called")
    }
    async fn sandbox_page(&self, _: Request<pb::SandboxPageRequest>) -> Reply<pb::SandboxCharge> {
        unreachable!("not called")
    }
    async fn sandbox_act(&self, _: Request<pb::SandboxActRequest>) -> Reply<pb::SandboxCharge> {
        unreachable!("not called")
    }
    async fn settle(&self, _: Request<pb::SettleRequest>) -> Reply<pb::SettleReply> {
        unreachable!("not called")
    }
    async fn open_case(&self, _: Request<pb::OpenCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
    async fn list_cases(&self, _: Request<pb::ListCasesRequest>) -> Reply<pb::CaseList> {
        unreachable!("not called")
    }
    async fn get_case(&self, _: Request<pb::GetCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
    async fn note_case(&self, _: Request<pb::NoteCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
    async fn resolve_case(&self, _: Request<pb::ResolveCaseRequest>) -> Reply<pb::Case> {
        unreachable!("not called")
    }
}

/// Hands a payload to the row of `kind`.
async fn hand(fake: &FakePayment, kind: &str, payload: &str) -> Result<(), Failure> {
    let channel = homestay_testkit::fake(PaymentServer::new(fake.clone()));
    let table = table(&PaymentClient::new(channel));
    let row = table.iter().find(|row| row.kind() == kind).expect(kind);
    (row.handler)(Delivery {
        kind: kind.to_owned(),
        payload: payload.to_owned(),
        id: "1".to_owned(),
        attempt: 1,
        token: 1,
    })
    .await
}

#[tokio::test]
async fn each_row_makes_its_one_call() {
    let fake = FakePayment::default();
    hand(&fake, job::PAYMENT_REFUND, r#"{"refund_sn":"RFD1"}"#)
        .await
        .unwrap();
    let payload = r#"{"token":"t","what":"callback","event_id":"e"}"#;
    hand(&fake, job::PAYMENT_SANDBOX, payload).await.unwrap();
    hand(&fake, job::PAYMENT_SWEEP, "{}").await.unwrap();
    assert_eq!(
        *fake.asked.lock().unwrap(),
        ["refund RFD1", "deliver t callback e", "sweep"]
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_a_refusal_is_final() {
    let cases = [
        (Error::new(Code::Provider), "retry"),
        (Error::new(Code::PaymentNotFound), "dead"),
        (Error::new(Code::Unavailable), "retry"),
    ];
    for (error, want) in cases {
        let fake = FakePayment::default();
        fake.errors.lock().unwrap().push(error);
        let payload = r#"{"token":"t","what":"capture_late","event_id":""}"#;
        let failure = hand(&fake, job::PAYMENT_SANDBOX, payload).await.unwrap_err();
        let got = match failure {
            Failure::Retry(_) => "retry",
            Failure::RetryAfter(..) => "retry after",
            Failure::Dead(_) => "dead",
        };
        assert_eq!(got, want);
    }
}

#[tokio::test]
async fn a_refused_refund_is_done_as_it_is_a_case_now() {
    let fake = FakePayment::default();
    hand(&fake, job::PAYMENT_REFUND, r#"{"refund_sn":"RFD-refused"}"#)
        .await
        .unwrap();
    assert_eq!(*fake.asked.lock().unwrap(), ["refund RFD-refused"]);
}

#[tokio::test]
async fn an_unreadable_payload_is_dead_and_asks_nobody() {
    let fake = FakePayment::default();
    for kind in [job::PAYMENT_REFUND, job::PAYMENT_SANDBOX] {
        let failure = hand(&fake, kind, "{}").await.unwrap_err();
        assert!(matches!(failure, Failure::Dead(_)), "{kind}");
    }
    assert!(fake.asked.lock().unwrap().is_empty());
}
