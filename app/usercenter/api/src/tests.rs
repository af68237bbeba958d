//! The wire: status and body of every route, over a fake usercenter-rpc.

mod looklook_wire;
mod rest_wire;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use homestay_error::{Code, Error};
use homestay_http::auth::Claims;
use homestay_http::{Edge, Keys};
use homestay_proto::common::Empty;
use homestay_proto::usercenter as pb;
use homestay_proto::usercenter::user_center_server::{UserCenter, UserCenterServer};
use homestay_proto::usercenter::{
    GetProfilesRequest, GetUserRequest, LoginRequest, LogoutRequest, Profiles, RefreshRequest,
    RegisterRequest, SeedReply, SeedRequest, Session, SessionKind, User, WxMiniAuthRequest,
};
use homestay_testkit::NOW_MS;
use homestay_types::Role;
use http_body_util::BodyExt;
use tonic::{Response, Status};
use tower::ServiceExt;

use crate::{Api, looklook, rest};

/// Answers what the test sent back inside the tokens, so that both directions show.
struct FakeUsers;

fn session(kind: i32, said: &str) -> Result<Response<Session>, Status> {
    let now = NOW_MS / 1000;
    let kind = SessionKind::try_from(kind).map_or("?", |kind| kind.as_str_name());
    Ok(Response::new(Session {
        user_id: 7,
        access_token: format!("{kind} {said}"),
        access_expire: now + 900,
        refresh_after: now + 450,
        refresh_token: "refresh-2".into(),
        refresh_expire: now + 86_400,
    }))
}

fn actor<T>(request: &tonic::Request<T>) -> String {
    let actor = request.metadata().get("x-homestay-actor");
    actor
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}

fn refuse<T>(error: Error) -> Result<T, Status> {
    Err(error.into())
}

#[tonic::async_trait]
impl UserCenter for FakeUsers {
    async fn register(&self, request: tonic::Request<RegisterRequest>) -> Result<Response<Session>, Status> {
        let actor = actor(&request);
        let r = request.into_inner();
        match r.mobile.as_str() {
            "taken" => refuse(Error::new(Code::MobileTaken)),
            "bad" => refuse(Error::invalid("mobile", "must be 11 digits, the first a 1")),
            _ => session(
                r.kind,
                &format!("{actor} {} {} {} {}", r.mobile, r.password, r.nickname, r.address),
            ),
        }
    }

    async fn login(&self, request: tonic::Request<LoginRequest>) -> Result<Response<Session>, Status> {
        let actor = actor(&request);
        let r = request.into_inner();
        match r.password.as_str() {
            "wrong" => refuse(Error::new(Code::BadCredentials)),
            "often" => refuse(Error::new(Code::TooManyRequests)),
            _ => session(
                r.kind,
                &format!("{actor} {} {} {}", r.mobile, r.password, r.address),
            ),
        }
    }

    async fn wx_mini_auth(
        &self,
        request: tonic::Request<WxMiniAuthRequest>,
    ) -> Result<Response<Session>, Status> {
        let actor = actor(&request);
        let r = request.into_inner();
        match r.code.as_str() {
            "bound" => refuse(Error::new(Code::WechatBound)),
            _ => session(
                r.kind,
                &format!("{actor} {} {} {} {}", r.code, r.iv, r.encrypted_data, r.address),
            ),
        }
    }

    async fn refresh(&self, request: tonic::Request<RefreshRequest>) -> Result<Response<Session>, Status> {
        let actor = actor(&request);
        let r = request.into_inner();
        match r.refresh_token.as_str() {
            "used" => refuse(Error::new(Code::BadRefreshToken)),
            token => session(r.kind, &format!("{actor} {token}")),
        }
    }

    async fn logout(&self, request: tonic::Request<LogoutRequest>) -> Result<Response<Empty>, Status> {
        let actor = actor(&request);
        let token = request.into_inner().refresh_token;
        match (actor.as_str(), token.as_str()) {
            ("anonymous", "refresh-1") | ("user/7/host", "") => Ok(Response::new(Empty {})),
            ("anonymous", "") => refuse(Error::new(Code::Unauthenticated)),
            other => refuse(Error::internal(format!("{other:?}"))),
        }
    }

    async fn get_user(&self, request: tonic::Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let actor = actor(&request);
        let id = request.into_inner().id;
        if actor != format!("user/{id}/host") {
            return refuse(Error::with(Code::NotFound, "用户不存在"));
        }
        Ok(Response::new(User {
            id,
            mobile: "13800000001".into(),
            nickname: "小明".into(),
            sex: 1,
            avatar: "a.png".into(),
            info: "hello".into(),
            role: "host".into(),
            wechat_bound: true,
            created_at_ms: NOW_MS,
            wechat_openid: String::new(),
        }))
    }

    async fn get_profiles(
        &self,
        _: tonic::Request<GetProfilesRequest>,
    ) -> Result<Response<Profiles>, Status> {
        refuse(Error::internal("no route asks for profiles"))
    }

    async fn seed(&self, _: tonic::Request<SeedRequest>) -> Result<Response<SeedReply>, Status> {
        refuse(Error::internal("no route seeds"))
    }

    async fn change_password(
        &self,
        request: tonic::Request<pb::ChangePasswordRequest>,
    ) -> Result<Response<Session>, Status> {
        let actor = actor(&request);
        let r = request.into_inner();
        let said = format!("{actor} {} {} {}", r.old_password, r.new_password, r.address);
        session(r.kind, &said)
    }

    async fn grant(&self, _: tonic::Request<pb::GrantRequest>) -> Result<Response<pb::GrantReply>, Status> {
        refuse(Error::internal("no route grants"))
    }

    async fn list_by_role(
        &self,
        _: tonic::Request<pb::ListByRoleRequest>,
    ) -> Result<Response<pb::Users>, Status> {
        refuse(Error::internal("no route lists"))
    }
}

fn keys() -> Keys {
    Keys::new(
        vec![("k1".into(), "secret".into())],
        homestay_clock::Clock::manual(NOW_MS),
    )
}

/// A token of the host 7 that ends `seconds` from now.
fn token(seconds: i64) -> String {
    let now = NOW_MS / 1000;
    keys()
        .sign(&Claims {
            exp: now + seconds,
            iat: now,
            user_id: 7,
            role: Role::Host,
        })
        .expect("a token")
}

/// Sends one request (an empty `body` or `token` is none) and gives status and body.
async fn call(route: &str, token: &str, body: &str) -> String {
    let (verb, path) = route.split_once(' ').expect("verb and path");
    let mut request = Request::builder()
        .method(verb)
        .uri(path)
        .header("x-request-id", "r1");
    if !token.is_empty() {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");

    let api = Api::new(homestay_testkit::fake(UserCenterServer::new(FakeUsers)));
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
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    format!("{status} {}", String::from_utf8_lossy(&body))
}
