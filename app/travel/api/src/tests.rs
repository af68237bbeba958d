//! The wire: status and body of every route, over a fake travel-rpc and usercenter-rpc.

mod fakes;
mod hosting;
mod looklook_wire;
mod rest_wire;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use homestay_clock::Clock;
use homestay_http::{Edge, Keys};
use homestay_proto::travel::travel_server::TravelServer;
use homestay_proto::usercenter::user_center_server::UserCenterServer;
use homestay_testkit::{NOW_MS, fake};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::{Api, looklook, rest};
use fakes::{FakeTravel, FakeUsers};

fn app(users: FakeUsers) -> axum::Router {
    app_with(users, false)
}

fn app_with(users: FakeUsers, compat_status: bool) -> axum::Router {
    let api = Api::new(
        fake(TravelServer::new(FakeTravel)),
        fake(UserCenterServer::new(users)),
    );
    let (rest, _) = rest(api.clone()).split_for_parts();
    let edge = Edge {
        keys: Keys::new(vec![("1".to_owned(), "secret".to_owned())], Clock::manual(NOW_MS)),
        deadline: Duration::from_secs(3),
        compat_status,
        trust_forwarded: false,
        cors_origins: Vec::new(),
    };
    edge.around(looklook(api).merge(rest))
}

/// Status and body of a request; a body makes it a POST.
async fn call(app: axum::Router, path: &str, body: Option<&str>) -> (u16, Value) {
    let request = Request::builder()
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json");
    let request = match body {
        Some(text) => request.method("POST").body(Body::from(text.to_owned())),
        None => request.body(Body::empty()),
    };
    let response = app.oneshot(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}
