use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use futures::future::BoxFuture;
use homestay_error::{Code, Error};
use homestay_jobs::{Delivery, Failure};
use homestay_proto::mqueue as mqueue_pb;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_proto::order as pb;
use homestay_proto::order::order_server::{Order, OrderServer};
use homestay_proto::usercenter as user_pb;
use homestay_proto::usercenter::user_center_server::{UserCenter, UserCenterServer};
use homestay_testkit::{NOW_MS, fake};
use tonic::{Request, Response, Status};

use super::*;

type Reply<T> = Result<Response<T>, Status>;
type Seen = Arc<Mutex<Vec<String>>>;

/// One order in a given state; notes who was told.
#[derive(Clone)]
struct FakeOrders {
    state: &'static str,
    told: Seen,
}

#[tonic::async_trait]
impl Order for FakeOrders {
    async fn get(&self, request: Request<pb::GetRequest>) -> Reply<pb::OrderView> {
        if request.get_ref().sn != "HSO1" {
            return Err(Error::new(Code::OrderNotFound).into());
        }
        Ok(Response::new(pb::OrderView {
            sn: "HSO1".into(),
            state: self.state.into(),
            user_id: 7,
            host_id: 9,
            title: "Garden house".into(),
            check_in: "2026-12-01".into(),
            check_out: "2026-12-03".into(),
            guests: 2,
            total_cents: 60_000,
            currency: "CNY".into(),
            trade_code: "K7TR4QPX".into(),
            ..Default::default()
        }))
    }
    async fn preview_cancel(&self, _: Request<pb::PreviewCancelRequest>) -> Reply<pb::CancelPreview> {
        unreachable!("nobody asks")
    }
    async fn change(&self, _: Request<pb::ChangeRequest>) -> Reply<pb::ChangeReply> {
        unreachable!("nobody asks")
    }
    async fn quote_change(&self, _: Request<pb::ChangeRequest>) -> Reply<pb::ChangeView> {
        unreachable!("nobody asks")
    }
    async fn list_changes(&self, _: Request<pb::ListChangesRequest>) -> Reply<pb::ChangeList> {
        unreachable!("nobody asks")
    }
    async fn mark_told(&self, request: Request<pb::MarkToldRequest>) -> Reply<Empty> {
        let request = request.into_inner();
        self.told
            .lock()
            .unwrap()
            .push(format!("{} {}", request.sn, request.recipient));
        Ok(Response::new(Empty {}))
    }
    async fn create(&self, _: Request<pb::CreateRequest>) -> Reply<pb::CreateReply> {
        unreachable!("not called")
    }
    async fn list(&self, _: Request<pb::ListRequest>) -> Reply<pb::ListReply> {
        unreachable!("not called")
    }
    async fn cancel(&self, _: Request<pb::CancelRequest>) -> Reply<pb::OrderView> {
        unreachable!("not called")
    }
    async fn advance(&self, _: Request<pb::AdvanceRequest>) -> Reply<pb::AdvanceReply> {
        unreachable!("not called")
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<pb::SweepReply> {
        unreachable!("not called")
    }
    async fn resolve_holds(&self, _: Request<pb::ResolveHoldsRequest>) -> Reply<pb::ResolveHoldsReply> {
        unreachable!("not called")
    }
}

struct FakeUsers;

#[tonic::async_trait]
impl UserCenter for FakeUsers {
    async fn get_user(&self, request: Request<user_pb::GetUserRequest>) -> Reply<user_pb::User> {
        let id = request.into_inner().id;
        Ok(Response::new(user_pb::User {
            id,
            nickname: format!("nick{id}"),
            mobile: format!("1380000000{id}"),
            ..Default::default()
        }))
    }
    async fn register(&self, _: Request<user_pb::RegisterRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn login(&self, _: Request<user_pb::LoginRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn wx_mini_auth(&self, _: Request<user_pb::WxMiniAuthRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn refresh(&self, _: Request<user_pb::RefreshRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn logout(&self, _: Request<user_pb::LogoutRequest>) -> Reply<Empty> {
        unreachable!("not called")
    }
    async fn get_profiles(&self, _: Request<user_pb::GetProfilesRequest>) -> Reply<user_pb::Profiles> {
        unreachable!("not called")
    }
    async fn seed(&self, _: Request<user_pb::SeedRequest>) -> Reply<user_pb::SeedReply> {
        unreachable!("not called")
    }
    async fn change_password(&self, _: Request<user_pb::ChangePasswordRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn grant(&self, _: Request<user_pb::GrantRequest>) -> Reply<user_pb::GrantReply> {
        unreachable!("not called")
    }
    async fn list_by_role(&self, _: Request<user_pb::ListByRoleRequest>) -> Reply<user_pb::Users> {
        unreachable!("not called")
    }
}

/// Counts sweeps.
#[derive(Clone, Default)]
struct FakeMqueue(Seen);

#[tonic::async_trait]
impl Mqueue for FakeMqueue {
    async fn sweep(&self, _: Request<Empty>) -> Reply<Empty> {
        self.0.lock().unwrap().push("sweep".into());
        Ok(Response::new(Empty {}))
    }
    async fn enqueue(&self, _: Request<mqueue_pb::EnqueueRequest>) -> Reply<mqueue_pb::EnqueueReply> {
        unreachable!("not called")
    }
    async fn claim(&self, _: Request<mqueue_pb::ClaimRequest>) -> Reply<mqueue_pb::ClaimReply> {
        unreachable!("not called")
    }
    async fn finish(&self, _: Request<mqueue_pb::FinishRequest>) -> Reply<mqueue_pb::FinishReply> {
        unreachable!("not called")
    }
    async fn heartbeat(&self, _: Request<mqueue_pb::HeartbeatRequest>) -> Reply<mqueue_pb::HeartbeatReply> {
        unreachable!("not called")
    }
    async fn release(&self, _: Request<mqueue_pb::ReleaseRequest>) -> Reply<Empty> {
        unreachable!("not called")
    }
    async fn list_jobs(&self, _: Request<mqueue_pb::ListJobsRequest>) -> Reply<mqueue_pb::ListJobsReply> {
        unreachable!("not called")
    }
    async fn list_queues(&self, _: Request<Empty>) -> Reply<mqueue_pb::ListQueuesReply> {
        unreachable!("not called")
    }
}

/// Notes what it delivered, or fails.
#[derive(Clone, Default)]
struct FakeNotifier {
    delivered: Seen,
    down: bool,
}

impl Notifier for FakeNotifier {
    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            if self.down {
                return Err(Error::new(Code::Unavailable));
            }
            self.delivered
                .lock()
                .unwrap()
                .push(serde_json::to_string(notification).unwrap());
            Ok(())
        })
    }
}

/// Runs the row of a job kind.
async fn run(
    state: &'static str,
    notifiers: Vec<Arc<dyn Notifier>>,
    kind: &str,
    payload: &str,
) -> (Result<(), Failure>, Vec<String>) {
    let told = Seen::default();
    let orders = FakeOrders {
        state,
        told: told.clone(),
    };
    let rows = table(
        &OrderClient::new(fake(OrderServer::new(orders))),
        &UserCenterClient::new(fake(UserCenterServer::new(FakeUsers))),
        &MqueueClient::new(fake(MqueueServer::new(FakeMqueue(told.clone())))),
        notifiers,
    );
    let handlers = homestay_bus::handlers(&rows);
    let delivery = Delivery {
        kind: kind.into(),
        payload: payload.into(),
        id: "1".into(),
        attempt: 1,
        token: 1,
    };
    let outcome = handlers[kind](delivery).await;
    let told = told.lock().unwrap().clone();
    (outcome, told)
}

async fn tell(
    state: &'static str,
    notifier: &FakeNotifier,
    payload: &str,
) -> (Result<(), Failure>, Vec<String>) {
    run(
        state,
        vec![Arc::new(notifier.clone())],
        job::NOTIFY_ORDER_PAID,
        payload,
    )
    .await
}

const GUEST: &str = r#"{"sn":"HSO1","recipient":"guest"}"#;
const HOST: &str = r#"{"sn":"HSO1","recipient":"host"}"#;

#[tokio::test]
async fn guest_and_host_are_told_and_only_the_guest_gets_the_code() {
    let notifier = FakeNotifier::default();
    assert_eq!(tell("confirmed", &notifier, GUEST).await.1, ["HSO1 guest"]);
    assert_eq!(tell("used", &notifier, HOST).await.1, ["HSO1 host"]);

    let delivered = notifier.delivered.lock().unwrap();
    let read = |i: usize| serde_json::from_str::<serde_json::Value>(&delivered[i]).unwrap();
    let (guest, host) = (read(0), read(1));
    assert_eq!(
        guest,
        serde_json::json!({
            "eventId": "order.paid:HSO1:guest",
            "type": "order.paid",
            "recipient": "guest",
            "user": { "id": 7, "nickname": "nick7", "mobile": "13800000007" },
            "orderSn": "HSO1",
            "title": "Garden house",
            "checkIn": "2026-12-01",
            "checkOut": "2026-12-03",
            "guests": 2,
            "totalCents": 60_000,
            "currency": "CNY",
            "tradeCode": "K7TR4QPX",
        })
    );
    assert_eq!(
        (&host["eventId"], &host["user"]["id"], host.get("tradeCode")),
        (&"order.paid:HSO1:host".into(), &9.into(), None)
    );
}

#[tokio::test]
async fn nobody_is_told_of_an_order_that_is_not_paid_any_more() {
    for state in ["awaiting_payment", "cancelled", "refund_pending", "refunded"] {
        let notifier = FakeNotifier::default();
        let (outcome, told) = tell(state, &notifier, GUEST).await;
        assert!(outcome.is_ok() && told.is_empty(), "{state}");
        assert_eq!(notifier.delivered.lock().unwrap().len(), 0, "{state}");
    }
}

#[tokio::test]
async fn a_notification_that_fails_is_tried_again_and_not_marked() {
    let down = FakeNotifier {
        down: true,
        ..Default::default()
    };
    let (outcome, told) = tell("confirmed", &down, GUEST).await;
    assert!(matches!(outcome, Err(Failure::Retry(_))), "{outcome:?}");
    assert_eq!(told, Vec::<String>::new());
}

#[tokio::test]
async fn unknown_orders_and_unreadable_payloads_are_dead_letters() {
    let notifier = FakeNotifier::default();
    for payload in [
        r#"{"sn":"HSO2","recipient":"guest"}"#,
        r#"{"sn":"HSO1","recipient":"cook"}"#,
        "{}",
    ] {
        let (outcome, _) = tell("confirmed", &notifier, payload).await;
        assert!(matches!(outcome, Err(Failure::Dead(_))), "{payload}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_sweep_asks_the_broker() {
    let (outcome, seen) = run("confirmed", Vec::new(), job::MQUEUE_SWEEP, r#"{"tick_ms":0}"#).await;
    assert!(outcome.is_ok());
    assert_eq!(seen, ["sweep"]);
}

/// What the webhook's receiver saw.
#[derive(Clone, Default)]
struct Receiver {
    status: u16,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    receiver.seen.lock().unwrap().push((headers, body));
    let mut answer = HeaderMap::new();
    answer.insert("location", "/elsewhere".parse().unwrap());
    (StatusCode::from_u16(receiver.status).unwrap(), answer)
}

async fn post_to(receiver: &Receiver) -> (Result<(), Failure>, Vec<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=t0psecret", listener.local_addr().unwrap());
    let router = Router::new().fallback(receive).with_state(receiver.clone());
    let server = async { axum::serve(listener, router).await.unwrap() };
    let config = Config {
        webhook_url: url,
        webhook_secret: Secret::new("key"),
    };
    let all = notifiers(&config, Clock::manual(NOW_MS)).unwrap();
    tokio::select! {
        result = run("confirmed", all, job::NOTIFY_ORDER_PAID, GUEST) => result,
        () = server => unreachable!("it serves for ever"),
    }
}

#[tokio::test]
async fn a_webhook_gets_signed_json_with_the_event_s_id_and_2xx_means_delivered() {
    let receiver = Receiver {
        status: 204,
        ..Default::default()
    };
    let (outcome, told) = post_to(&receiver).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(told, ["HSO1 guest"]);

    let seen = receiver.seen.lock().unwrap();
    let (headers, body) = &seen[0];
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(text("homestay-event-id"), "order.paid:HSO1:guest");
    assert_eq!(text("content-type"), "application/json");
    assert_eq!(
        text("homestay-signature"),
        crate::webhook::signature("key", NOW_MS / 1000, body)
    );
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(body).unwrap()["orderSn"],
        "HSO1"
    );
}

#[tokio::test]
async fn whatever_else_a_webhook_answers_is_tried_again_and_its_address_stays_secret() {
    for status in [301, 400, 404, 410, 500, 503] {
        let receiver = Receiver {
            status,
            ..Default::default()
        };
        let (outcome, told) = post_to(&receiver).await;
        let Err(Failure::Retry(error)) = outcome else {
            panic!("{status}: {outcome:?}")
        };
        assert!(error.chain().contains(&status.to_string()), "{}", error.chain());
        assert_eq!(
            (receiver.seen.lock().unwrap().len(), told.len()),
            (1, 0),
            "{status}"
        );
    }
    // Nobody listens.
    let config = Config {
        webhook_url: "http://127.0.0.1:9/hook?token=t0psecret".into(),
        webhook_secret: Secret::new("key"),
    };
    let all = notifiers(&config, Clock::manual(NOW_MS)).unwrap();
    let (outcome, _) = run("confirmed", all, job::NOTIFY_ORDER_PAID, GUEST).await;
    let Err(Failure::Retry(error)) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(!error.chain().contains("t0psecret"), "{}", error.chain());
}
