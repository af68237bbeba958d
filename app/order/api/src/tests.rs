//! Both faces over fakes of order-rpc and payment-rpc: status and body as a client sees them.

mod changes_wire;
mod looklook_wire;
mod rest_wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use homestay_error::{Code, Error};
use homestay_http::{Edge, Keys, auth::Claims};
use homestay_proto::common::{CancellationPolicy, Empty, PolicyWindow, PriceLine};
use homestay_proto::order as pb;
use homestay_proto::order::order_server::{Order, OrderServer};
use homestay_proto::payment as pay;
use homestay_proto::payment::payment_server::{Payment, PaymentServer};
use homestay_testkit::NOW_MS;
use homestay_types::Role;
use http_body_util::BodyExt;
use serde_json::Value;
use tonic::{Response, Status};
use tower::ServiceExt;

use crate::{Api, looklook, rest};

const SN: &str = "HSO2026112110155900000001";

type Reply<T> = Result<Response<T>, Status>;

/// Remembers what it was asked, and refuses if it is told to.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
    refusal: Arc<Mutex<Option<Error>>>,
    paid: bool,
    payments_down: bool,
    orders: i64,
}

impl Fake {
    fn ask<T>(&self, request: &tonic::Request<T>) -> Result<(), Status>
    where
        T: std::fmt::Debug,
    {
        let actor = request
            .metadata()
            .get("x-homestay-actor")
            .map(|value| value.to_str().unwrap_or_default().to_owned());
        let asked = format!("{} {:?}", actor.unwrap_or_default(), request.get_ref());
        self.asked.lock().unwrap().push(asked);
        match self.refusal.lock().unwrap().take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    fn order(&self, id: i64) -> pb::OrderView {
        let line = |kind: &str, unit_cents, quantity| PriceLine {
            kind: kind.into(),
            date: "2026-12-01".into(),
            unit_cents,
            quantity,
            total_cents: unit_cents * quantity,
        };
        let order = pb::OrderView {
            id,
            sn: SN.into(),
            user_id: 41,
            house_id: 7,
            shop_id: 5,
            host_id: 6,
            title: "Bamboo House".into(),
            sub_title: "by the river".into(),
            cover: "a.jpg".into(),
            info: "quiet".into(),
            people_num: 4,
            meals: true,
            food_info: "noodles".into(),
            food_cents: 1_550,
            price_cents: 12_800,
            market_cents: 15_000,
            check_in: "2026-12-01".into(),
            check_out: "2026-12-02".into(),
            check_in_s: 1_796_054_400,
            check_out_s: 1_796_140_800,
            guests: 2,
            remark: "late".into(),
            currency: "CNY".into(),
            room_cents: 12_800,
            meal_cents: 3_100,
            total_cents: 15_900,
            lines: vec![line("room", 12_800, 1), line("meals", 1_550, 2)],
            state: "awaiting_payment".into(),
            created_at_ms: NOW_MS,
            pay_before_ms: NOW_MS + 1_800_000,
            time_zone: "Asia/Shanghai".into(),
            steps: vec![pb::Step {
                name: "Scheduling".into(),
                started_at_ms: NOW_MS,
                ended_at_ms: NOW_MS,
                attempt: 1,
                ..Default::default()
            }],
            due_cents: 15_900,
            due_before_ms: NOW_MS + 1_800_000,
            policy: Some(policy()),
            check_in_at_ms: NOW_MS + 900_000_000,
            ..Default::default()
        };
        if !self.paid {
            return order;
        }
        pb::OrderView {
            state: "confirmed".into(),
            trade_state: 1,
            trade_code: "7KQ2M9XA".into(),
            paid_at_ms: NOW_MS + 60_000,
            payment_sn: "PMT2026112110155900000002".into(),
            pay_type: "SANDBOX".into(),
            due_cents: 0,
            due_before_ms: 0,
            charged_cents: 15_900,
            ..order
        }
    }
}

#[tonic::async_trait]
impl Order for Fake {
    async fn create(&self, request: tonic::Request<pb::CreateRequest>) -> Reply<pb::CreateReply> {
        self.ask(&request)?;
        let order = Some(self.order(1));
        Ok(Response::new(pb::CreateReply { order }))
    }
    async fn get(&self, request: tonic::Request<pb::GetRequest>) -> Reply<pb::OrderView> {
        self.ask(&request)?;
        if request.get_ref().sn != SN {
            return Err(Error::new(Code::OrderNotFound).into());
        }
        Ok(Response::new(self.order(1)))
    }
    async fn list(&self, request: tonic::Request<pb::ListRequest>) -> Reply<pb::ListReply> {
        self.ask(&request)?;
        let r = request.into_inner();
        let below = if r.last_id > 0 { r.last_id } else { self.orders + 1 };
        let ids = (1..below).rev().take(usize::try_from(r.limit).unwrap());
        let orders = ids.map(|id| self.order(id)).collect();
        Ok(Response::new(pb::ListReply { orders }))
    }
    async fn cancel(&self, request: tonic::Request<pb::CancelRequest>) -> Reply<pb::OrderView> {
        self.ask(&request)?;
        Ok(Response::new(pb::OrderView {
            state: "cancelled".into(),
            cancelled_by: "guest".into(),
            trade_state: -1,
            ..self.order(1)
        }))
    }
    async fn advance(&self, _: tonic::Request<pb::AdvanceRequest>) -> Reply<pb::AdvanceReply> {
        unreachable!("no route asks")
    }
    async fn sweep(&self, _: tonic::Request<Empty>) -> Reply<pb::SweepReply> {
        unreachable!("no route asks")
    }
    async fn resolve_holds(
        &self,
        _: tonic::Request<pb::ResolveHoldsRequest>,
    ) -> Reply<pb::ResolveHoldsReply> {
        unreachable!("no route asks")
    }
    async fn preview_cancel(
        &self,
        request: tonic::Request<pb::PreviewCancelRequest>,
    ) -> Reply<pb::CancelPreview> {
        self.ask(&request)?;
        Ok(Response::new(pb::CancelPreview {
            refund_cents: 7_950,
            kept_cents: 7_950,
            charged_cents: 15_900,
            currency: "CNY".into(),
            percent: 50,
            valid_until_ms: NOW_MS + 1_000,
            policy: Some(policy()),
        }))
    }
    async fn change(&self, request: tonic::Request<pb::ChangeRequest>) -> Reply<pb::ChangeReply> {
        self.ask(&request)?;
        Ok(Response::new(pb::ChangeReply {
            change: Some(change()),
            order: Some(self.order(1)),
        }))
    }
    async fn quote_change(&self, request: tonic::Request<pb::ChangeRequest>) -> Reply<pb::ChangeView> {
        self.ask(&request)?;
        Ok(Response::new(pb::ChangeView {
            state: "quote".into(),
            ..change()
        }))
    }
    async fn list_changes(&self, request: tonic::Request<pb::ListChangesRequest>) -> Reply<pb::ChangeList> {
        self.ask(&request)?;
        Ok(Response::new(pb::ChangeList {
            changes: vec![change()],
        }))
    }
    async fn mark_told(&self, _: tonic::Request<pb::MarkToldRequest>) -> Reply<Empty> {
        unreachable!("no route asks")
    }
}

#[tonic::async_trait]
impl Payment for Fake {
    async fn list_for_order(
        &self,
        request: tonic::Request<pay::ListForOrderRequest>,
    ) -> Reply<pay::PaymentList> {
        self.ask(&request)?;
        if self.payments_down {
            return Err(Error::new(Code::Unavailable).into());
        }
        let payment = |state: &str, pay_url: &str| pay::PaymentView {
            state: state.into(),
            pay_url: pay_url.into(),
            ..Default::default()
        };
        let payments = vec![
            payment("failed", "http://pay/1"),
            payment("pending", "http://pay/2"),
        ];
        Ok(Response::new(pay::PaymentList { payments }))
    }
    async fn create(&self, _: tonic::Request<pay::CreateRequest>) -> Reply<pay::PaymentView> {
        unreachable!("no route asks")
    }
    async fn get(&self, _: tonic::Request<pay::GetRequest>) -> Reply<pay::PaymentView> {
        unreachable!("no route asks")
    }
    async fn close_for_order(
        &self,
        _: tonic::Request<pay::CloseForOrderRequest>,
    ) -> Reply<pay::CloseForOrderReply> {
        unreachable!("no route asks")
    }
    async fn refund(&self, _: tonic::Request<pay::RefundRequest>) -> Reply<pay::RefundView> {
        unreachable!("no route asks")
    }
    async fn execute_refund(&self, _: tonic::Request<pay::ExecuteRefundRequest>) -> Reply<pay::RefundView> {
        unreachable!("no route asks")
    }
    async fn callback(&self, _: tonic::Request<pay::CallbackRequest>) -> Reply<pay::CallbackReply> {
        unreachable!("no route asks")
    }
    async fn sweep(&self, _: tonic::Request<Empty>) -> Reply<pay::SweepReply> {
        unreachable!("no route asks")
    }
    async fn sandbox_page(&self, _: tonic::Request<pay::SandboxPageRequest>) -> Reply<pay::SandboxCharge> {
        unreachable!("no route asks")
    }
    async fn sandbox_act(&self, _: tonic::Request<pay::SandboxActRequest>) -> Reply<pay::SandboxCharge> {
        unreachable!("no route asks")
    }
    async fn sandbox_deliver(&self, _: tonic::Request<pay::SandboxDeliverRequest>) -> Reply<Empty> {
        unreachable!("no route asks")
    }
    async fn settle(&self, _: tonic::Request<pay::SettleRequest>) -> Reply<pay::SettleReply> {
        unreachable!("order-api does not ask")
    }
    async fn open_case(&self, _: tonic::Request<pay::OpenCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-api does not ask")
    }
    async fn list_cases(&self, _: tonic::Request<pay::ListCasesRequest>) -> Reply<pay::CaseList> {
        unreachable!("order-api does not ask")
    }
    async fn get_case(&self, _: tonic::Request<pay::GetCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-api does not ask")
    }
    async fn note_case(&self, _: tonic::Request<pay::NoteCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-api does not ask")
    }
    async fn resolve_case(&self, _: tonic::Request<pay::ResolveCaseRequest>) -> Reply<pay::Case> {
        unreachable!("order-api does not ask")
    }
}

fn policy() -> CancellationPolicy {
    let window = |hours_before, refund_percent| PolicyWindow {
        hours_before,
        refund_percent,
    };
    CancellationPolicy {
        name: "moderate".into(),
        windows: vec![window(120, 100), window(24, 50)],
    }
}

fn change() -> pb::ChangeView {
    pb::ChangeView {
        attempt: 2,
        state: "held".into(),
        check_in: "2026-12-01".into(),
        check_out: "2026-12-03".into(),
        guests: 2,
        meals: true,
        currency: "CNY".into(),
        room_cents: 25_600,
        meal_cents: 6_200,
        total_cents: 31_800,
        old_total_cents: 15_900,
        fee_cents: 300,
        due_cents: 15_900,
        due_before_ms: NOW_MS + 1_800_000,
        created_at_ms: NOW_MS,
        ..Default::default()
    }
}

fn keys() -> Keys {
    Keys::new(
        vec![("k1".into(), "secret".into())],
        homestay_clock::Clock::manual(NOW_MS),
    )
}

/// A token of the guest 41.
fn token() -> String {
    let now = NOW_MS / 1000;
    keys()
        .sign(&Claims {
            exp: now + 60,
            iat: now,
            user_id: 41,
            role: Role::Guest,
        })
        .expect("a token")
}

struct Answer {
    status: u16,
    location: Option<String>,
    body: Value,
}

/// Sends one request of the guest 41. An empty `body` is none; `key` is the Idempotency-Key, if there is one.
async fn call(fake: &Fake, route: &str, key: &str, body: &str) -> Answer {
    send(fake, route, key, body, Some(token())).await
}

async fn send(fake: &Fake, route: &str, key: &str, body: &str, token: Option<String>) -> Answer {
    let (verb, path) = route.split_once(' ').expect("verb and path");
    let mut request = Request::builder()
        .method(verb)
        .uri(path)
        .header("x-request-id", "r1");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    let api = Api::new(
        homestay_testkit::fake(OrderServer::new(fake.clone())),
        homestay_testkit::fake(PaymentServer::new(fake.clone())),
    );
    let (rest, _) = rest(api.clone()).split_for_parts();
    let edge = Edge {
        keys: keys(),
        deadline: Duration::from_secs(3),
        compat_status: false,
        trust_forwarded: false,
        cors_origins: Vec::new(),
    };
    let response = edge
        .around(looklook(api).merge(rest))
        .oneshot(request)
        .await
        .expect("an answer");
    let status = response.status().as_u16();
    let location = response
        .headers()
        .get(header::LOCATION)
        .map(|value| value.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    Answer {
        status,
        location,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}
