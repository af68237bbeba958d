//! What operators see of the broker, and who may ask it.

mod support;

use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_proto::mqueue::result::Outcome;
use homestay_rpc::Actor;
use homestay_testkit::{NOW_MS, channel_as};
use homestay_types::Role;
use support::*;

#[tokio::test]
async fn operators_see_jobs_and_queues_page_by_page() {
    let broker = standing().await;
    broker
        .enqueue(vec![
            due("order.a", NOW_MS - 5_000),
            due("order.b", NOW_MS - 3_000),
            due("order.c", NOW_MS + 1),
            pb::NewJob {
                queue: "payment".into(),
                ..job("payment.x")
            },
        ])
        .await;
    let jobs = broker.claim("w", 1).await;
    let queue = |view: &pb::QueueView| {
        (
            view.queue.clone(),
            [
                view.ready,
                view.scheduled,
                view.running,
                view.dead,
                view.oldest_due_ms,
            ],
        )
    };
    let seen: Vec<_> = broker.queues().await.iter().map(queue).collect();
    assert_eq!(
        seen,
        [
            ("order".to_owned(), [1, 1, 1, 0, 3_000]),
            ("payment".to_owned(), [1, 0, 0, 0, 0])
        ]
    );
    broker.finish(vec![ended(&jobs[0], Outcome::Dead)]).await;
    assert_eq!(queue(&broker.queues().await[0]).1, [1, 1, 0, 1, 3_000]);

    let page = |last_id, state: &str, queue: &str| {
        let request = pb::ListJobsRequest {
            queue: queue.into(),
            state: state.into(),
            last_id,
            limit: 2,
        };
        let mut client = broker.client.clone();
        async move {
            let jobs = client.list_jobs(request).await.unwrap().into_inner().jobs;
            jobs.into_iter()
                .map(|view| (view.job.as_ref().unwrap().id, view.job.unwrap().kind))
                .collect::<Vec<_>>()
        }
    };
    let first = page(0, "", "").await;
    let second = page(first[1].0, "", "").await;
    let kinds: Vec<&str> = first
        .iter()
        .chain(&second)
        .map(|(_, kind)| kind.as_str())
        .collect();
    assert_eq!(kinds, ["payment.x", "order.c", "order.b", "order.a"]);
    assert_eq!(page(second[1].0, "", "").await, []);
    assert_eq!(page(0, "dead", "order").await[0].1, "order.a");
    assert_eq!(page(0, "dead", "payment").await, []);
}

#[tokio::test]
async fn only_staff_and_services_look_and_only_services_act() {
    let broker = standing().await;
    let user = |role| Actor::User { id: 7, role };
    let cases = [
        (
            Actor::Anonymous,
            Some(Code::Unauthenticated),
            Some(Code::Unauthenticated),
        ),
        (user(Role::Guest), Some(Code::Forbidden), Some(Code::Forbidden)),
        (user(Role::Host), Some(Code::Forbidden), Some(Code::Forbidden)),
        (user(Role::Operator), None, Some(Code::Forbidden)),
        (user(Role::Admin), None, Some(Code::Forbidden)),
        (service(), None, None),
    ];
    for (actor, look, act) in cases {
        let mut client = MqueueClient::new(channel_as(&broker.slot, &actor));
        let code = |status: tonic::Status| Error::from(status).code();
        assert_eq!(
            client.list_queues(Empty {}).await.map_err(code).err(),
            look,
            "{actor}"
        );
        assert_eq!(client.sweep(Empty {}).await.map_err(code).err(), act, "{actor}");
    }
}

#[tokio::test]
async fn bad_requests_are_refused_by_field() {
    let broker = standing().await;
    let claim = |queue: &str, worker: &str, max| pb::ClaimRequest {
        queue: queue.into(),
        worker: worker.into(),
        max,
        wait_ms: 0,
    };
    for (request, field) in [
        (claim("", "w", 1), "queue"),
        (claim("q", "", 1), "worker"),
        (claim("q", "w", 0), "max"),
    ] {
        let refused = broker.client.clone().claim(request).await.unwrap_err();
        assert_eq!(Error::from(refused).field_name(), Some(field));
    }
    let list = |state: &str, last_id, limit| pb::ListJobsRequest {
        queue: String::new(),
        state: state.into(),
        last_id,
        limit,
    };
    for (request, field) in [
        (list("asleep", 0, 1), "state"),
        (list("", -1, 1), "cursor"),
        (list("", 0, 0), "limit"),
        (list("", 0, 102), "limit"),
    ] {
        let refused = broker.client.clone().list_jobs(request).await.unwrap_err();
        assert_eq!(Error::from(refused).field_name(), Some(field));
    }
}
