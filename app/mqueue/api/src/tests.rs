//! The wire, over a fake mqueue-rpc behind a method table like the real one.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use homestay_clock::Clock;
use homestay_http::auth::Claims;
use homestay_http::{Edge, Keys};
use homestay_proto::common::Empty;
use homestay_proto::mqueue as pb;
use homestay_proto::mqueue::mqueue_server::{Mqueue, MqueueServer};
use homestay_rpc::{Actor, Allow, Methods};
use homestay_testkit::{NOW_MS, channel_as, serve};
use homestay_types::Role;
use http_body_util::BodyExt;
use tonic::{Response, Status};
use tower::ServiceExt;

use crate::{Api, rest};

const METHODS: Methods = &[
    ("/homestay.mqueue.v1.Mqueue/ListJobs", Allow::STAFF),
    ("/homestay.mqueue.v1.Mqueue/ListQueues", Allow::STAFF),
];

type Reply<T> = Result<Response<T>, Status>;

/// Has as many jobs as the limit asks for on the first page and two behind it; the queue's name shows what it was asked.
struct FakeMqueue;

#[tonic::async_trait]
impl Mqueue for FakeMqueue {
    async fn list_jobs(&self, request: tonic::Request<pb::ListJobsRequest>) -> Reply<pb::ListJobsReply> {
        let r = request.into_inner();
        if r.state == "asleep" {
            return Err(
                homestay_error::Error::invalid("state", "must be ready, running, done or dead").into(),
            );
        }
        let job = |i: i64| pb::JobView {
            job: Some(pb::Job {
                id: 1000 + r.last_id - i,
                queue: format!("{} {} {}", r.queue, r.state, r.last_id),
                kind: "order.advance".into(),
                payload: r#"{"sn":"HSO1","token":"t"}"#.into(),
                token: 2,
                attempt: 2,
                max_attempts: 20,
                due_at_ms: NOW_MS,
                lease_until_ms: 0,
                traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
            }),
            state: "dead".into(),
            last_error: "TIMEOUT: no answer in time".into(),
            worker: "order-mq-X".into(),
            created_at_ms: NOW_MS - 1500,
            finished_at_ms: NOW_MS,
            unique_key: String::new(),
        };
        let count = if r.last_id > 0 { 2 } else { r.limit };
        Ok(Response::new(pb::ListJobsReply {
            jobs: (0..count).map(job).collect(),
        }))
    }
    async fn list_queues(&self, _: tonic::Request<Empty>) -> Reply<pb::ListQueuesReply> {
        let queue = pb::QueueView {
            queue: "order".into(),
            ready: 1,
            scheduled: 2,
            running: 3,
            dead: 4,
            oldest_due_ms: 5,
        };
        Ok(Response::new(pb::ListQueuesReply { queues: vec![queue] }))
    }
    async fn enqueue(&self, _: tonic::Request<pb::EnqueueRequest>) -> Reply<pb::EnqueueReply> {
        unreachable!("not in the table")
    }
    async fn claim(&self, _: tonic::Request<pb::ClaimRequest>) -> Reply<pb::ClaimReply> {
        unreachable!("not in the table")
    }
    async fn finish(&self, _: tonic::Request<pb::FinishRequest>) -> Reply<pb::FinishReply> {
        unreachable!("not in the table")
    }
    async fn heartbeat(&self, _: tonic::Request<pb::HeartbeatRequest>) -> Reply<pb::HeartbeatReply> {
        unreachable!("not in the table")
    }
    async fn release(&self, _: tonic::Request<pb::ReleaseRequest>) -> Reply<Empty> {
        unreachable!("not in the table")
    }
    async fn sweep(&self, _: tonic::Request<Empty>) -> Reply<Empty> {
        unreachable!("not in the table")
    }
}

fn keys() -> Keys {
    Keys::new(
        vec![("1".into(), "a-secret-of-tests".into())],
        Clock::manual(NOW_MS),
    )
}

/// Status and body of a GET.
async fn get(path: &str, role: Option<Role>) -> (u16, serde_json::Value) {
    let slot = serve(MqueueServer::new(FakeMqueue), METHODS);
    let (router, _) = rest(Api::new(channel_as(&slot, &Actor::Anonymous))).split_for_parts();
    let edge = Edge {
        keys: keys(),
        deadline: Duration::from_secs(3),
        compat_status: false,
        trust_forwarded: false,
        cors_origins: Vec::new(),
    };
    let mut request = Request::get(path);
    if let Some(role) = role {
        let claims = Claims {
            exp: NOW_MS / 1000 + 60,
            iat: NOW_MS / 1000,
            user_id: 7,
            role,
        };
        let token = format!("Bearer {}", keys().sign(&claims).unwrap());
        request = request.header(header::AUTHORIZATION, token);
    }
    let response = edge
        .around(router)
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn only_operators_and_admins_see_anything() {
    for path in ["/v1/jobs", "/v1/queues"] {
        for (role, want) in [
            (None, 401),
            (Some(Role::Guest), 403),
            (Some(Role::Host), 403),
            (Some(Role::Operator), 200),
            (Some(Role::Admin), 200),
        ] {
            assert_eq!(get(path, role).await.0, want, "{path} as {role:?}");
        }
    }
}

#[tokio::test]
async fn a_job_is_shown_with_its_payload_its_times_and_its_trace() {
    let (_, body) = get("/v1/jobs?queue=order&state=dead&limit=1", Some(Role::Operator)).await;
    assert_eq!(
        body,
        serde_json::json!({
          "jobs": [
            {
              "attempt": 2,
              "createdAt": "2026-11-20T23:59:58.500Z",
              "dueAt": "2026-11-21T00:00:00.000Z",
              "finishedAt": "2026-11-21T00:00:00.000Z",
              "id": 1000,
              "kind": "order.advance",
              "lastError": "TIMEOUT: no answer in time",
              "leaseUntil": null,
              "maxAttempts": 20,
              "payload": {
                "sn": "HSO1",
                "token": "[redacted]"
              },
              "queue": "order dead 0",
              "state": "dead",
              "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
              "uniqueKey": null,
              "worker": "order-mq-X"
            }
          ],
          "nextCursor": "MTAwMA"
        })
    );
}

#[tokio::test]
async fn pages_follow_the_cursor_and_the_last_has_none() {
    let (_, first) = get("/v1/jobs?limit=2", Some(Role::Admin)).await;
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(first["jobs"].as_array().unwrap().len(), 2);
    // Also when what is left fills the page to its end.
    let (_, last) = get(&format!("/v1/jobs?limit=2&cursor={cursor}"), Some(Role::Admin)).await;
    assert_eq!(last["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(
        (last["jobs"][0]["queue"].as_str(), &last["nextCursor"]),
        (Some("  999"), &serde_json::Value::Null)
    );
    let (_, default) = get("/v1/jobs", Some(Role::Admin)).await;
    assert_eq!(default["jobs"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn bad_parameters_are_named() {
    for (query, field) in [
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=-5", "cursor"),
        ("state=asleep", "state"),
        ("page=1", "page"),
    ] {
        let (status, body) = get(&format!("/v1/jobs?{query}"), Some(Role::Admin)).await;
        assert_eq!(
            (status, body["field"].as_str()),
            (400, Some(field)),
            "{query}: {body}"
        );
    }
}

#[tokio::test]
async fn queues_are_counted() {
    let (_, body) = get("/v1/queues", Some(Role::Operator)).await;
    assert_eq!(
        body,
        serde_json::json!({
          "queues": [
            {
              "dead": 4,
              "oldestDueMs": 5,
              "queue": "order",
              "ready": 1,
              "running": 3,
              "scheduled": 2
            }
          ]
        })
    );
}
