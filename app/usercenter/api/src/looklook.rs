use axum::Router;
use axum::extract::State;
use axum::routing::post;
use homestay_http::{ApiResult, AuthUser, ClientAddress, Envelope, Json, MaybeUser, envelope};
use homestay_proto::usercenter::{
    GetUserRequest, LoginRequest, RegisterRequest, Session, SessionKind, User, WxMiniAuthRequest,
};
use homestay_rpc::{Actor, request_for};
use serde::{Deserialize, Serialize};

use crate::Api;

/// The routes under `/usercenter/v1`.
pub fn looklook(api: Api) -> Router {
    Router::new()
        .route("/usercenter/v1/user/register", post(register))
        .route("/usercenter/v1/user/login", post(login))
        .route("/usercenter/v1/user/detail", post(detail))
        .route("/usercenter/v1/user/wxMiniAuth", post(wx_mini_auth))
        .with_state(api)
}

#[derive(Deserialize)]
struct RegisterBody {
    mobile: String,
    password: String,
    #[serde(default)]
    nickname: String,
}

#[derive(Deserialize)]
struct LoginBody {
    mobile: String,
    password: String,
}

#[derive(Deserialize)]
struct DetailBody {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WxMiniAuthBody {
    code: String,
    iv: String,
    encrypted_data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    access_token: String,
    access_expire: i64,
    refresh_after: i64,
    refresh_token: String,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            access_token: session.access_token,
            access_expire: session.access_expire,
            refresh_after: session.refresh_after,
            refresh_token: session.refresh_token,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DetailView {
    user_info: UserView,
}

#[derive(Serialize)]
struct UserView {
    id: i64,
    mobile: String,
    nickname: String,
    sex: i64,
    avatar: String,
    info: String,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            mobile: user.mobile,
            nickname: user.nickname,
            sex: user.sex,
            avatar: user.avatar,
            info: user.info,
        }
    }
}

// Registering and logging in ignore a token: an old one in the client's pocket must not stand in the way.
async fn register(
    State(mut api): State<Api>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<RegisterBody>,
) -> ApiResult<Envelope<SessionView>> {
    let request = RegisterRequest {
        mobile: body.mobile,
        password: body.password,
        nickname: body.nickname,
        address,
        kind: SessionKind::Looklook.into(),
    };
    let session = api
        .users
        .register(request_for(&Actor::Anonymous, request))
        .await?;
    Ok(envelope(session.into_inner().into()))
}

async fn login(
    State(mut api): State<Api>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<LoginBody>,
) -> ApiResult<Envelope<SessionView>> {
    let request = LoginRequest {
        mobile: body.mobile,
        password: body.password,
        address,
        kind: SessionKind::Looklook.into(),
    };
    let session = api.users.login(request_for(&Actor::Anonymous, request)).await?;
    Ok(envelope(session.into_inner().into()))
}

async fn detail(
    State(mut api): State<Api>,
    user: AuthUser,
    Json(DetailBody {}): Json<DetailBody>,
) -> ApiResult<Envelope<DetailView>> {
    let request = GetUserRequest { id: user.id };
    let user = api.users.get_user(request_for(&user.actor(), request)).await?;
    Ok(envelope(DetailView {
        user_info: user.into_inner().into(),
    }))
}

async fn wx_mini_auth(
    State(mut api): State<Api>,
    user: MaybeUser,
    ClientAddress(address): ClientAddress,
    Json(body): Json<WxMiniAuthBody>,
) -> ApiResult<Envelope<SessionView>> {
    let request = WxMiniAuthRequest {
        code: body.code,
        iv: body.iv,
        encrypted_data: body.encrypted_data,
        address,
        kind: SessionKind::Looklook.into(),
    };
    let session = api
        .users
        .wx_mini_auth(request_for(&user.actor(), request))
        .await?;
    Ok(envelope(session.into_inner().into()))
}
