use axum::extract::State;
use axum::http::StatusCode;
use homestay_error::Error;
use homestay_http::{ApiError, ApiResult, AuthUser, ClientAddress, Json, MaybeUser, Problem, rfc3339};
use homestay_proto::usercenter::{
    ChangePasswordRequest, GetUserRequest, LoginRequest, LogoutRequest, RefreshRequest, RegisterRequest,
    Session, SessionKind, User, WxMiniAuthRequest,
};
use homestay_rpc::{Actor, request_for};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;

/// The routes `/v1/users` and `/v1/sessions`.
pub fn rest(api: Api) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(me))
        .routes(routes!(change_password))
        .routes(routes!(sign_in, sign_out))
        .with_state(api)
}

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
struct NewUserBody {
    /// 11 digits, the first a 1.
    #[schema(example = "13800000001")]
    mobile: String,
    /// 6 to 128 characters.
    #[schema(format = Password)]
    password: String,
    /// At most 32 characters; one is made up if there is none.
    #[serde(default)]
    nickname: String,
}

/// The old password, and another one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewPassword)]
struct NewPasswordBody {
    #[schema(format = Password)]
    old_password: String,
    /// 6 to 128 characters.
    #[schema(format = Password)]
    new_password: String,
}

/// One of three ways to sign in: `mobile` and `password`; `refreshToken`, which is used up; or WeChat's login `code`, with
/// `iv` and `encryptedData` of the phone number if the user gave it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewSession)]
struct NewSessionBody {
    /// Mobile of the account.
    #[schema(example = "13800000001")]
    mobile: Option<String>,
    /// Its password.
    #[schema(format = Password)]
    password: Option<String>,
    /// The refresh token of the session before.
    refresh_token: Option<String>,
    /// Login code of the WeChat mini program. With an access token it binds WeChat to the account.
    code: Option<String>,
    /// Initial vector of `encryptedData`, base64.
    iv: Option<String>,
    /// Encrypted phone number, base64.
    encrypted_data: Option<String>,
}

/// The session to end.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EndSession)]
struct EndSessionBody {
    /// Its refresh token. Without one, all sessions of the signed-in account end.
    refresh_token: Option<String>,
}

/// A session. The access token is sent as `Authorization: Bearer …`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
struct SessionView {
    user_id: i64,
    /// Always `Bearer`.
    token_type: &'static str,
    access_token: String,
    #[schema(format = DateTime)]
    access_expires_at: String,
    /// Good once, for the next session.
    refresh_token: String,
    #[schema(format = DateTime)]
    refresh_expires_at: String,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        let at = |seconds: i64| rfc3339(seconds.saturating_mul(1000)).unwrap_or_default();
        Self {
            user_id: session.user_id,
            token_type: "Bearer",
            access_token: session.access_token,
            access_expires_at: at(session.access_expire),
            refresh_token: session.refresh_token,
            refresh_expires_at: at(session.refresh_expire),
        }
    }
}

/// The signed-in account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
struct UserView {
    id: i64,
    /// Null for an account that came from WeChat without a phone number.
    mobile: Option<String>,
    nickname: String,
    /// 0 male, 1 female.
    sex: i64,
    avatar: String,
    info: String,
    /// `guest`, `host`, `operator` or `admin`.
    role: String,
    /// Whether the account signs in through WeChat too.
    wechat_bound: bool,
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            mobile: Some(user.mobile).filter(|mobile| !mobile.is_empty()),
            nickname: user.nickname,
            sex: user.sex,
            avatar: user.avatar,
            info: user.info,
            role: user.role,
            wechat_bound: user.wechat_bound,
            created_at: rfc3339(user.created_at_ms),
        }
    }
}

/// Opens an account and signs it in.
#[utoipa::path(
    post, path = "/v1/users", tag = "users", request_body = NewUserBody,
    responses(
        (status = 201, description = "The account exists, and this is its first session", body = SessionView),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`MOBILE_TAKEN`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many registrations", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn register(
    State(mut api): State<Api>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<NewUserBody>,
) -> ApiResult<(StatusCode, Json<SessionView>)> {
    let request = RegisterRequest {
        mobile: body.mobile,
        password: body.password,
        nickname: body.nickname,
        address,
        kind: SessionKind::Rest.into(),
    };
    let session = api
        .users
        .register(request_for(&Actor::Anonymous, request))
        .await?;
    Ok(created(session.into_inner()))
}

/// Shows the signed-in account.
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users", security(("bearer" = [])),
    responses(
        (status = 200, description = "The account", body = UserView),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn me(State(mut api): State<Api>, user: AuthUser) -> ApiResult<Json<UserView>> {
    let request = GetUserRequest { id: user.id };
    let user = api.users.get_user(request_for(&user.actor(), request)).await?;
    Ok(Json(user.into_inner().into()))
}

/// Gives the signed-in account another password.
///
/// All its sessions end, and a new one is answered with. Access tokens that are out are good until they end.
#[utoipa::path(
    put, path = "/v1/users/me/password", tag = "users", request_body = NewPasswordBody, security(("bearer" = [])),
    responses(
        (status = 200, description = "A new session", body = SessionView),
        (status = 400, description = "A field is missing or wrong, such as the old password", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No token, or a bad one", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many tries", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn change_password(
    State(mut api): State<Api>,
    ClientAddress(address): ClientAddress,
    user: AuthUser,
    Json(body): Json<NewPasswordBody>,
) -> ApiResult<Json<SessionView>> {
    let request = ChangePasswordRequest {
        old_password: body.old_password,
        new_password: body.new_password,
        address,
        kind: SessionKind::Rest.into(),
    };
    let session = api
        .users
        .change_password(request_for(&user.actor(), request))
        .await?;
    Ok(Json(session.into_inner().into()))
}

/// What a [`NewSessionBody`] asks for.
enum SignIn {
    Password {
        mobile: String,
        password: String,
    },
    Refresh {
        refresh_token: String,
    },
    Wechat {
        code: String,
        iv: String,
        encrypted_data: String,
    },
}

impl TryFrom<NewSessionBody> for SignIn {
    type Error = Error;

    fn try_from(body: NewSessionBody) -> Result<Self, Error> {
        let NewSessionBody {
            mobile,
            password,
            refresh_token,
            code,
            iv,
            encrypted_data,
        } = body;
        let stray = |field: Option<&str>| match field {
            Some(field) => Err(Error::invalid(
                field.to_owned(),
                "does not belong to this way to sign in",
            )),
            None => Ok(()),
        };
        let password_given = password.as_ref().map(|_| "password");
        let phone_given = iv
            .as_ref()
            .map(|_| "iv")
            .or(encrypted_data.as_ref().map(|_| "encryptedData"));
        match (mobile, refresh_token, code) {
            (Some(mobile), None, None) => {
                stray(phone_given)?;
                let password = password.ok_or_else(|| Error::invalid("password", "is not set"))?;
                Ok(Self::Password { mobile, password })
            }
            (None, Some(refresh_token), None) => {
                stray(password_given.or(phone_given))?;
                Ok(Self::Refresh { refresh_token })
            }
            (None, None, Some(code)) => {
                stray(password_given)?;
                Ok(Self::Wechat {
                    code,
                    iv: iv.unwrap_or_default(),
                    encrypted_data: encrypted_data.unwrap_or_default(),
                })
            }
            (None, None, None) => Err(Error::invalid(
                "mobile",
                "is not set: send mobile and password, refreshToken, or code",
            )),
            _ => Err(Error::invalid(
                "body",
                "must have only one of mobile, refreshToken and code",
            )),
        }
    }
}

/// Signs in: by password, by the refresh token of the session before, or through WeChat.
///
/// A refresh token is good once. One that comes back ends all sessions that followed from it.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "users", request_body = NewSessionBody, security((), ("bearer" = [])),
    responses(
        (status = 201, description = "A session", body = SessionView),
        (status = 400, description = "A field is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`BAD_CREDENTIALS` or `BAD_REFRESH_TOKEN`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`WECHAT_BOUND`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many logins", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn sign_in(
    State(mut api): State<Api>,
    user: Result<MaybeUser, ApiError>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<NewSessionBody>,
) -> ApiResult<(StatusCode, Json<SessionView>)> {
    let kind = SessionKind::Rest.into();
    let session = match SignIn::try_from(body)? {
        SignIn::Password { mobile, password } => {
            let request = LoginRequest {
                mobile,
                password,
                address,
                kind,
            };
            api.users.login(request_for(&Actor::Anonymous, request)).await?
        }
        SignIn::Refresh { refresh_token } => {
            let request = RefreshRequest { refresh_token, kind };
            api.users.refresh(request_for(&Actor::Anonymous, request)).await?
        }
        SignIn::Wechat {
            code,
            iv,
            encrypted_data,
        } => {
            // Only here does the token count: with one, WeChat is bound to its account.
            let actor = user?.actor();
            let request = WxMiniAuthRequest {
                code,
                iv,
                encrypted_data,
                address,
                kind,
            };
            api.users.wx_mini_auth(request_for(&actor, request)).await?
        }
    };
    Ok(created(session.into_inner()))
}

/// Signs out: ends the session of the refresh token, or all sessions of the signed-in account.
#[utoipa::path(
    delete, path = "/v1/sessions", tag = "users", request_body = EndSessionBody, security((), ("bearer" = [])),
    responses(
        (status = 204, description = "Ended: no refresh token of it works any more; access tokens stay good until they expire (settings auth.access_ttl, auth.looklook_ttl)"),
        (status = 401, description = "Neither token", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn sign_out(
    State(mut api): State<Api>,
    user: Result<MaybeUser, ApiError>,
    Json(body): Json<EndSessionBody>,
) -> ApiResult<StatusCode> {
    // A refresh token is proof enough, even when the access token has expired.
    let (actor, refresh_token) = match body.refresh_token {
        Some(token) if !token.is_empty() => (Actor::Anonymous, token),
        _ => (user?.actor(), String::new()),
    };
    api.users
        .logout(request_for(&actor, LogoutRequest { refresh_token }))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn created(session: Session) -> (StatusCode, Json<SessionView>) {
    (StatusCode::CREATED, Json(session.into()))
}
