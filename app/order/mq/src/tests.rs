use std::sync::{Arc, Mutex};

use homestay_error::{Code, Error};
use homestay_proto::order::order_server::{Order, OrderServer};
use tonic::{Request, Response, Status};

use super::*;

const SN: &str = "HSO2026112110155912345678";

/// Notes calls; answers with an error if it was given one.
#[derive(Clone, Default)]
struct FakeOrders {
    calls: Arc<Mutex<Vec<String>>>,
    refusal: Option<Code>,
}

impl FakeOrders {
    fn answer<T: Default>(&self, call: String) -> Result<Response<T>, Status> {
        self.calls.lock().unwrap().push(call);
        match self.refusal {
            Some(code) => Err(Error::new(code).into()),
            None => Ok(Response::new(T::default())),
        }
    }
}

#[tonic::async_trait]
impl Order for FakeOrders {
    async fn advance(
        &self,
        request: Request<pb::AdvanceRequest>,
    ) -> Result<Response<pb::AdvanceReply>, Status> {
        let r = request.into_inner();
        self.answer(format!("advance {} {}", r.sn, r.token))
    }
    async fn sweep(&self, _: Request<Empty>) -> Result<Response<pb::SweepReply>, Status> {
        self.answer("sweep".into())
    }
    async fn create(&self, _: Request<pb::CreateRequest>) -> Result<Response<pb::CreateReply>, Status> {
        unreachable!("not called from here")
    }
    async fn get(&self, _: Request<pb::GetRequest>) -> Result<Response<pb::OrderView>, Status> {
        unreachable!("not called from here")
    }
    async fn list(&self, _: Request<pb::ListRequest>) -> Result<Response<pb::ListReply>, Status> {
        unreachable!("not called from here")
    }
    async fn cancel(&self, _: Request<pb::CancelRequest>) -> Result<Response<pb::OrderView>, Status> {
        unreachable!("not called from here")
    }
    async fn resolve_holds(
        &self,
        _: Request<pb::ResolveHoldsRequest>,
    ) -> Result<Response<pb::ResolveHoldsReply>, Status> {
        unreachable!("not called from here")
    }
    async fn preview_cancel(
        &self,
        _: Request<pb::PreviewCancelRequest>,
    ) -> Result<Response<pb::CancelPreview>, Status> {
        unreachable!("nobody asks")
    }
    async fn change(&self, _: Request<pb::ChangeRequest>) -> Result<Response<pb::ChangeReply>, Status> {
        unreachable!("nobody asks")
    }
    async fn quote_change(&self, _: Request<pb::ChangeRequest>) -> Result<Response<pb::ChangeView>, Status> {
        unreachable!("nobody asks")
    }
    async fn list_changes(
        &self,
        _: Request<pb::ListChangesRequest>,
    ) -> Result<Response<pb::ChangeList>, Status> {
        unreachable!("nobody asks")
    }
    async fn mark_told(&self, _: Request<pb::MarkToldRequest>) -> Result<Response<Empty>, Status> {
        unreachable!("not called from here")
    }
}

async fn deliver(orders: FakeOrders, source: usize, payload: &str) -> Result<(), Failure> {
    let client = OrderClient::new(homestay_testkit::fake(OrderServer::new(orders)));
    let table = table(&client);
    let delivery = Delivery {
        kind: table[source].kind(),
        payload: payload.to_owned(),
        id: "1".into(),
        attempt: 1,
        token: 42,
    };
    (table[source].handler)(delivery).await
}

fn paid() -> String {
    serde_json::json!({
        "payStatus": 1, "orderSn": SN, "eventId": "e", "paymentSn": "PMT2026112110155912345678",
        "amountCents": 100, "refundedCents": 0, "currency": "CNY",
    })
    .to_string()
}

#[tokio::test]
async fn every_row_of_the_table_is_one_call_about_its_order() {
    let cases = [
        (0, paid(), format!("advance {SN} 42")),
        (1, format!(r#"{{"sn":"{SN}"}}"#), format!("advance {SN} 42")),
        (2, String::new(), "sweep".to_owned()),
    ];
    for (source, payload, call) in cases {
        let orders = FakeOrders::default();
        deliver(orders.clone(), source, &payload).await.unwrap();
        assert_eq!(*orders.calls.lock().unwrap(), [call]);
    }
}

#[tokio::test]
async fn an_unknown_order_and_an_unreadable_payload_are_dead_and_a_missing_peer_is_tried_again() {
    let refusing = |code| FakeOrders {
        refusal: Some(code),
        ..FakeOrders::default()
    };
    let job = format!(r#"{{"sn":"{SN}"}}"#);
    let unknown = deliver(refusing(Code::OrderNotFound), 1, &job).await;
    assert!(matches!(unknown, Err(Failure::Dead(_))));
    let missing = deliver(refusing(Code::Unavailable), 0, &paid()).await;
    assert!(matches!(missing, Err(Failure::Retry(_))));
    // A payment number where an order's belongs (holes.md B01).
    for payload in ["{}", "no JSON", r#"{"sn":"PMT2026112110155912345678"}"#] {
        let orders = FakeOrders::default();
        let unreadable = deliver(orders.clone(), 1, payload).await;
        assert!(matches!(unreadable, Err(Failure::Dead(_))), "{payload}");
        assert!(orders.calls.lock().unwrap().is_empty());
    }
}
