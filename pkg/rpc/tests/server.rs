//! What the server does beside serving: limit, health, reflection, deadline, over real sockets.

mod support;

use std::time::Duration;

use futures::{StreamExt, stream};
use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_rpc::{Actor, Channel, Identity, Serving, deadline};
use homestay_service::Health;
use support::*;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

fn any() -> std::net::SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[tokio::test]
async fn more_calls_than_the_limit_are_refused_at_once_long_polls_aside() {
    let serving = Serving {
        concurrency: 2,
        ..Serving::default()
    };
    let server = Server::serve(Fake::closed(), serving, any());
    let client = client(&[&server]);
    let polls = (0..5).map(|_| {
        let mut client = client.clone();
        async move { client.claim(pb::ClaimRequest::default()).await.map(drop) }
    });
    let calls = (0..2).map(|_| {
        let mut client = client.clone();
        async move { client.finish(pb::FinishRequest::default()).await.map(drop) }
    });
    let held = futures::future::join(futures::future::join_all(polls), futures::future::join_all(calls));
    let more = async {
        server.fake.reached(7).await;
        let refused = client.clone().list_queues(Empty {}).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        let error = Error::from(refused);
        assert_eq!(
            (error.code(), error.code().http().as_u16()),
            (Code::Overloaded, 503)
        );
        assert_eq!(server.served(), 7, "not begun, and not tried again");
        server.fake.gate.add_permits(7);
    };
    let ((polled, called), ()) = within(futures::future::join(held, more)).await;
    assert!(polled.into_iter().chain(called).all(|outcome| outcome.is_ok()));
    client.clone().list_queues(Empty {}).await.unwrap();
}

#[tokio::test]
async fn a_call_counts_until_its_work_is_done_though_its_caller_has_gone() {
    let serving = Serving {
        concurrency: 1,
        ..Serving::default()
    };
    let server = Server::serve(Fake::closed(), serving, any());
    let mut client = client(&[&server]);
    let call = deadline::scope(
        Duration::from_millis(50),
        client.finish(pb::FinishRequest::default()),
    );
    assert_eq!(code(call.await), Code::Timeout);
    assert_eq!(code(client.list_queues(Empty {}).await), Code::Overloaded);

    server.fake.gate.add_permits(1);
    within(async { while client.list_queues(Empty {}).await.is_err() {} }).await;
}

#[tokio::test]
async fn health_is_open_and_follows_readiness() {
    let serving = Serving::default();
    let health: Health = serving.health.clone();
    let server = Server::serve(Fake::default(), serving, any());
    // No credential.
    let channel = tonic::transport::Endpoint::from_shared(server.endpoint()).unwrap();
    let mut client = HealthClient::new(channel.connect_lazy());
    let request = |service: &str| HealthCheckRequest {
        service: service.into(),
    };
    let mut watch = client.watch(request("")).await.unwrap().into_inner();
    let mut changes = async |want: ServingStatus| {
        let change = within(watch.next()).await.unwrap().unwrap();
        assert_eq!(change.status(), want);
    };

    for service in ["", "homestay.mqueue.v1.Mqueue"] {
        let answer = client.check(request(service)).await.unwrap().into_inner();
        assert_eq!(
            answer.status(),
            ServingStatus::NotServing,
            "{service:?} is starting"
        );
    }
    changes(ServingStatus::NotServing).await;

    health.started();
    for service in ["", "homestay.mqueue.v1.Mqueue"] {
        let answer = client.check(request(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    changes(ServingStatus::Serving).await;

    let unknown = client
        .check(request("homestay.order.v1.Order"))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);

    server.stop();
    assert!(
        within(watch.next()).await.is_none(),
        "a watcher does not hold up the stop"
    );
}

async fn services(channel: Channel) -> Result<Vec<String>, tonic::Status> {
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(stream::iter([ask])).await?;
    let answer = answers.into_inner().message().await?.expect("an answer");
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_answers_who_has_the_credential_and_only_where_it_is_on() {
    let serving = Serving {
        reflection: true,
        ..Serving::default()
    };
    let on = Server::serve(Fake::default(), serving, any());
    let off = Server::start(Fake::default());
    let channel = |server: &Server, identity| Channel::remote(&[server.endpoint()], identity).unwrap();

    let names = services(channel(&on, identity())).await.unwrap();
    assert!(
        names.contains(&"homestay.mqueue.v1.Mqueue".to_owned()),
        "{names:?}"
    );

    let service = Actor::Service("test".into());
    let stranger = services(channel(&on, Identity::new("guess", &service))).await;
    assert_eq!(stranger.unwrap_err().code(), tonic::Code::Unauthenticated);
    let guest = services(channel(&on, Identity::new("secret", &Actor::Anonymous))).await;
    assert_eq!(guest.unwrap_err().code(), tonic::Code::Unauthenticated);
    let absent = services(channel(&off, identity())).await;
    assert_eq!(absent.unwrap_err().code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn a_deadline_is_carried_over_two_hops_less_what_the_first_took() {
    let last = Server::start(Fake::default());
    let first = Server::start(Fake {
        next: Some(Channel::remote(&[last.endpoint()], identity()).unwrap()),
        ..Fake::default()
    });
    let mut client = client(&[&first]);
    let call = client.heartbeat(pb::HeartbeatRequest::default());
    let told = deadline::scope(Duration::from_millis(900), call)
        .await
        .unwrap_err();
    let left: u64 = Error::from(told).message().parse().unwrap();
    assert!((1..=800).contains(&left), "{left}");

    // What runs out at the first hop ends for the caller in time.
    let call = client.heartbeat(pb::HeartbeatRequest::default());
    assert_eq!(
        code(deadline::scope(Duration::from_millis(50), call).await),
        Code::Timeout
    );
}

#[tokio::test]
async fn a_stopped_server_finishes_the_call_in_hand() {
    let server = Server::start(Fake::closed());
    let mut client = client(&[&server]);
    let call = client.finish(pb::FinishRequest::default());
    let (outcome, ()) = within(futures::future::join(call, async {
        server.fake.reached(1).await;
        server.stop();
        server.fake.gate.add_permits(1);
    }))
    .await;
    outcome.unwrap();
}
