//! The same server over both links of [`Channel`]: what one does, the other does.

use std::time::Duration;

use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_rpc::{
    Actor, Allow, Channel, Guard, Identity, LocalSlot, Methods, Serving, deadline, request_for, serve,
};
use homestay_service::{Stop, Tasks};
use homestay_telemetry::trace::{self, TraceContext};
use homestay_types::Role;
use tonic::{Request, Response, Status};

const METHODS: Methods = &[
    ("/homestay.mqueue.v1.Mqueue/Enqueue", Allow::SERVICE),
    ("/homestay.mqueue.v1.Mqueue/Claim", Allow::ANYONE),
    ("/homestay.mqueue.v1.Mqueue/Heartbeat", Allow::ANYONE),
    ("/homestay.mqueue.v1.Mqueue/ListJobs", Allow::STAFF),
];

/// Answers with what it saw of the call.
#[derive(Clone)]
struct Mirror {
    finished: tokio::sync::mpsc::UnboundedSender<()>,
}

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Mqueue for Mirror {
    async fn enqueue(&self, _: Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
        Ok(Response::new(pb::EnqueueReply { added: 1 }))
    }
    async fn claim(&self, request: Request<pb::ClaimRequest>) -> Reply<pb::ClaimReply> {
        // Longer than its caller waits: `wait_ms`.
        let wait = request.get_ref().wait_ms.unsigned_abs();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let _ = self.finished.send(());
        Ok(Response::new(pb::ClaimReply::default()))
    }
    async fn heartbeat(&self, request: Request<pb::HeartbeatRequest>) -> Reply<pb::HeartbeatReply> {
        let left = deadline::left().unwrap_or_default();
        let seen = format!(
            "{} {} {}",
            homestay_rpc::actor(&request),
            trace::current().unwrap().trace_id(),
            left.as_millis()
        );
        Err(Error::with(Code::StaleToken, seen).into())
    }
    async fn finish(&self, _: Request<pb::FinishRequest>) -> Reply<pb::FinishReply> {
        unreachable!("not in the table")
    }
    async fn release(&self, _: Request<pb::ReleaseRequest>) -> Reply<Empty> {
        unreachable!("not in the table")
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<Empty> {
        unreachable!("not in the table")
    }
    async fn list_jobs(&self, _: Request<pb::ListJobsRequest>) -> Reply<pb::ListJobsReply> {
        Ok(Response::new(pb::ListJobsReply::default()))
    }
    async fn list_queues(&self, _: Request<Empty>) -> Reply<pb::ListQueuesReply> {
        unreachable!("not in the table")
    }
}

struct Links {
    channels: Vec<(&'static str, Channel)>,
    strangers: Vec<(&'static str, Channel)>,
    finished: tokio::sync::mpsc::UnboundedReceiver<()>,
    _stop: tokio_util::sync::DropGuard,
}

async fn links() -> Links {
    let (send, finished) = tokio::sync::mpsc::unbounded_channel();
    let mirror = Mirror { finished: send };
    let guard = Guard::new("secret", METHODS, Tasks::new());
    let slot = LocalSlot::default();
    slot.bind(guard.local(MqueueServer::new(mirror.clone())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let stop = Stop::new();
    let tasks = Tasks::new();
    let server = serve(
        listener,
        guard,
        MqueueServer::new(mirror),
        Serving::default(),
        stop.clone(),
    );
    tasks.detach(async move { server.await.unwrap() });
    let both = |credential: &str, actor: &Actor| {
        let identity = Identity::new(credential, actor);
        vec![
            ("local", slot.channel(identity.clone())),
            (
                "remote",
                Channel::remote(std::slice::from_ref(&address), identity).unwrap(),
            ),
        ]
    };
    Links {
        channels: both("secret", &Actor::Service("order-mq".into())),
        strangers: both("guess", &Actor::Service("order-mq".into())),
        finished,
        _stop: stop.drop_guard(),
    }
}

fn code(status: Status) -> Code {
    Error::from(status).code()
}

#[tokio::test]
async fn credential_actor_and_table_decide_alike() {
    let links = links().await;
    for (link, channel) in links.channels {
        let mut client = MqueueClient::new(channel);
        assert_eq!(
            client
                .enqueue(pb::EnqueueRequest::default())
                .await
                .unwrap()
                .into_inner()
                .added,
            1,
            "{link}"
        );
        let guest = Actor::User {
            id: 9,
            role: Role::Guest,
        };
        let refused = client
            .list_jobs(request_for(&guest, pb::ListJobsRequest::default()))
            .await
            .unwrap_err();
        assert_eq!(code(refused), Code::Forbidden, "{link}");
        let nobody = client
            .enqueue(request_for(&Actor::Anonymous, pb::EnqueueRequest::default()))
            .await
            .unwrap_err();
        assert_eq!(code(nobody), Code::Unauthenticated, "{link}");
        let unlisted = client.finish(pb::FinishRequest::default()).await.unwrap_err();
        assert_eq!(code(unlisted), Code::Forbidden, "{link}");
    }
    for (link, channel) in links.strangers {
        let refused = MqueueClient::new(channel)
            .enqueue(pb::EnqueueRequest::default())
            .await
            .unwrap_err();
        assert_eq!(code(refused), Code::Unauthenticated, "{link}");
    }
}

#[tokio::test]
async fn actor_trace_and_deadline_reach_the_handler_and_errors_come_back_whole() {
    for (link, channel) in links().await.channels {
        let mut client = MqueueClient::new(channel);
        let context = TraceContext::root();
        let call = client.heartbeat(request_for(
            &Actor::User {
                id: 5,
                role: Role::Host,
            },
            pb::HeartbeatRequest::default(),
        ));
        let status = trace::scope(context, deadline::scope(Duration::from_millis(900), call))
            .await
            .unwrap_err();
        let error = Error::from(status);
        assert_eq!(error.code(), Code::StaleToken, "{link}");
        let mut seen = error.message().split(' ');
        assert_eq!(seen.next(), Some("user/5/host"), "{link}");
        assert_eq!(seen.next(), Some(context.trace_id().as_str()), "{link}");
        let left: u128 = seen.next().unwrap().parse().unwrap();
        assert!((1..=900).contains(&left), "{link}: {left}");
    }
}

#[tokio::test]
async fn a_call_that_runs_out_of_time_ends_for_the_caller_and_goes_on_for_the_server() {
    let mut links = links().await;
    for (link, channel) in links.channels {
        let mut client = MqueueClient::new(channel);
        let request = pb::ClaimRequest {
            wait_ms: 300,
            ..Default::default()
        };
        let late = deadline::scope(Duration::from_millis(50), client.claim(request))
            .await
            .unwrap_err();
        assert_eq!(code(late), Code::Timeout, "{link}");
        links.finished.recv().await.expect(link);
    }
}

#[tokio::test]
async fn a_missing_peer_is_unavailable_not_a_hang() {
    let identity = Identity::new("secret", &Actor::Anonymous);
    let unbound = LocalSlot::default().channel(identity.clone());
    // Port 1 on loopback: nobody listens there.
    let refused = Channel::remote(&["http://127.0.0.1:1".to_owned()], identity.clone()).unwrap();
    for channel in [unbound, refused] {
        let status = MqueueClient::new(channel)
            .enqueue(pb::EnqueueRequest::default())
            .await
            .unwrap_err();
        assert_eq!(code(status), Code::Unavailable);
    }
    assert_eq!(
        Channel::remote(&[], identity).unwrap_err().field_name(),
        Some("endpoints")
    );
}

#[tokio::test]
async fn an_api_asks_the_table_of_the_server_and_sends_nothing_that_is_refused() {
    // Nobody serves there: whatever is sent fails as unavailable.
    let nowhere = LocalSlot::default().channel(Identity::new("credential", &Actor::Anonymous));
    let client = MqueueClient::new(nowhere.clone().admitting(METHODS));
    let user = |role| Actor::User { id: 7, role };
    for (actor, enqueue, list_jobs) in [
        (Actor::Anonymous, Code::Unauthenticated, Code::Unauthenticated),
        (user(Role::Guest), Code::Forbidden, Code::Forbidden),
        (user(Role::Host), Code::Forbidden, Code::Forbidden),
        (user(Role::Operator), Code::Forbidden, Code::Unavailable),
        (user(Role::Admin), Code::Forbidden, Code::Unavailable),
        (Actor::Service("x".into()), Code::Unavailable, Code::Forbidden),
    ] {
        let request = request_for(&actor, pb::EnqueueRequest::default());
        let error = Error::from(client.clone().enqueue(request).await.unwrap_err());
        assert_eq!(error.code(), enqueue, "{actor}");
        let request = request_for(&actor, pb::ListJobsRequest::default());
        let error = Error::from(client.clone().list_jobs(request).await.unwrap_err());
        assert_eq!(error.code(), list_jobs, "{actor}");
        // In no table.
        let request = request_for(&actor, Empty {});
        let error = Error::from(client.clone().list_queues(request).await.unwrap_err());
        assert_eq!(error.code(), Code::Forbidden, "{actor}");
    }
    let error = Error::from(MqueueClient::new(nowhere).sweep(Empty {}).await.unwrap_err());
    assert_eq!(error.code(), Code::Unavailable);
}
