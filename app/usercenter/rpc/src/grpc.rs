use std::sync::Arc;

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::{Code, Error};
use homestay_http::Keys;
use homestay_proto::common::Empty;
use homestay_proto::usercenter::user_center_server::UserCenter;
use homestay_proto::usercenter::{
    ChangePasswordRequest, GetProfilesRequest, GetUserRequest, GrantReply, GrantRequest, ListByRoleRequest,
    LoginRequest, LogoutRequest, Profile, Profiles, RefreshRequest, RegisterRequest, SeedReply, SeedRequest,
    Session, SessionKind, User, Users, WxMiniAuthRequest,
};
use homestay_rpc::{Actor, actor};
use homestay_types::Role;
use tonic::{Request, Response, Status};

use crate::register::Applicant;
use crate::session::Sessions;
use crate::throttle::Throttle;
use crate::wechat::{WechatProvider, WxLogin};
use crate::{
    Config, Passwords, account, change_password, grant, login, logout, profile, refresh, register, seed,
    store, wx_auth,
};

/// The server of `homestay.usercenter.v1.UserCenter`.
#[derive(Debug)]
pub struct UserService {
    db: Db,
    ids: Ids,
    clock: Clock,
    pub(crate) passwords: Passwords,
    sessions: Sessions,
    throttle: Throttle,
    wechat: Arc<dyn WechatProvider>,
}

impl UserService {
    /// The service over its database (migrated with [`crate::MIGRATIONS`]).
    ///
    /// The first of `keys` signs access tokens: the processes that check them need the same keys. `wechat` comes from [`crate::wechat::provider`].
    /// `throttle` is made from the same `config`.
    #[must_use]
    pub fn new(
        db: Db,
        ids: Ids,
        clock: Clock,
        config: &Config,
        keys: Keys,
        wechat: Arc<dyn WechatProvider>,
        throttle: Throttle,
    ) -> Self {
        Self {
            sessions: Sessions::new(ids.clone(), clock.clone(), keys, config),
            passwords: Passwords::default(),
            db,
            ids,
            clock,
            wechat,
            throttle,
        }
    }

    /// Whether accounts of the demo can be made and sign in: the setting `demo`. They cannot until it is said.
    #[must_use]
    pub fn with_demo(mut self, demo: bool) -> Self {
        self.sessions.demo = demo;
        self
    }
}

/// A kind that this build does not know gets the shorter life.
fn kind(number: i32) -> SessionKind {
    SessionKind::try_from(number).unwrap_or(SessionKind::Rest)
}

#[tonic::async_trait]
impl UserCenter for UserService {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Session>, Status> {
        let request = request.into_inner();
        account::mobile(&request.mobile)?;
        account::password(&request.password)?;
        let nickname = account::nickname(&request.nickname)?.map(str::to_owned);
        self.throttle.register(&request.address, &request.mobile).await?;
        let applicant = Applicant {
            mobile: request.mobile,
            password: request.password,
            nickname,
        };
        let session = register::register(
            &self.db,
            &self.ids,
            &self.passwords,
            &self.sessions,
            applicant,
            kind(request.kind),
        )
        .await?;
        Ok(Response::new(session))
    }

    async fn login(&self, request: Request<LoginRequest>) -> Result<Response<Session>, Status> {
        let request = request.into_inner();
        account::mobile(&request.mobile)?;
        self.throttle
            .login(&request.address, Some(&request.mobile))
            .await?;
        let session = login::login(
            &self.db,
            &self.passwords,
            &self.sessions,
            &request.mobile,
            request.password,
            kind(request.kind),
        )
        .await?;
        Ok(Response::new(session))
    }

    async fn wx_mini_auth(&self, request: Request<WxMiniAuthRequest>) -> Result<Response<Session>, Status> {
        let user_id = actor(&request).user_id();
        let request = request.into_inner();
        if request.code.is_empty() {
            return Err(Error::invalid("code", "must not be empty").into());
        }
        self.throttle.login(&request.address, None).await?;
        let login = WxLogin {
            code: request.code,
            iv: request.iv,
            encrypted_data: request.encrypted_data,
        };
        let identity = self.wechat.identify(login).await?;
        let session = wx_auth::wx_auth(
            &self.db,
            &self.ids,
            &self.sessions,
            user_id,
            identity,
            kind(request.kind),
        )
        .await?;
        Ok(Response::new(session))
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<Session>, Status> {
        let request = request.into_inner();
        let session = refresh::refresh(
            &self.db,
            &self.sessions,
            &request.refresh_token,
            kind(request.kind),
        )
        .await?;
        Ok(Response::new(session))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Result<Response<Empty>, Status> {
        let actor = actor(&request);
        let token = request.into_inner().refresh_token;
        logout::logout(&self.db, self.clock.now_ms(), &actor, &token).await?;
        Ok(Response::new(Empty {}))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let actor = actor(&request);
        let user = profile::user(&self.db, &actor, request.into_inner().id).await?;
        let mut user = User::from(user);
        if !matches!(actor, Actor::Service(_)) {
            user.wechat_openid.clear();
        }
        Ok(Response::new(user))
    }

    async fn get_profiles(&self, request: Request<GetProfilesRequest>) -> Result<Response<Profiles>, Status> {
        let profiles = profile::profiles(&self.db, request.into_inner().ids).await?;
        Ok(Response::new(Profiles {
            profiles: profiles.into_iter().map(Profile::from).collect(),
        }))
    }

    async fn seed(&self, request: Request<SeedRequest>) -> Result<Response<SeedReply>, Status> {
        if !self.sessions.demo {
            return Err(Error::with(Code::Forbidden, "accounts of the demo need demo: true").into());
        }
        let users = request.into_inner().users;
        let reply = seed::seed(&self.db, &self.ids, &self.clock, &self.passwords, users).await?;
        Ok(Response::new(reply))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Result<Response<Session>, Status> {
        let user_id = actor(&request)
            .user_id()
            .ok_or_else(|| Error::new(Code::Unauthenticated))?;
        let request = request.into_inner();
        account::password(&request.new_password)
            .map_err(|_| Error::invalid("newPassword", "must have 6 to 128 characters"))?;
        // A stolen token is not to try passwords faster than who has none.
        self.throttle
            .login(&request.address, Some(&user_id.to_string()))
            .await?;
        let session = change_password::change_password(
            &self.db,
            &self.passwords,
            &self.sessions,
            user_id,
            request.old_password,
            request.new_password,
            kind(request.kind),
        )
        .await?;
        Ok(Response::new(session))
    }

    async fn grant(&self, request: Request<GrantRequest>) -> Result<Response<GrantReply>, Status> {
        let by = actor(&request);
        let GrantRequest { mobile, role } = request.into_inner();
        let reply = grant::grant(&self.db, self.sessions.demo, &by, &mobile, grant::role(&role)?).await?;
        Ok(Response::new(reply))
    }

    async fn list_by_role(&self, request: Request<ListByRoleRequest>) -> Result<Response<Users>, Status> {
        let role = grant::role(&request.into_inner().role)?;
        if role == Role::Guest {
            return Err(Error::invalid("role", "must be host, operator or admin").into());
        }
        let users = store::by_role(&self.db, role).await?;
        Ok(Response::new(Users {
            users: users
                .into_iter()
                .map(|account| User {
                    wechat_openid: String::new(),
                    ..account.into()
                })
                .collect(),
        }))
    }
}

impl From<store::Account> for User {
    fn from(account: store::Account) -> Self {
        Self {
            id: account.id,
            mobile: account.mobile.unwrap_or_default(),
            nickname: account.nickname,
            sex: account.sex,
            avatar: account.avatar,
            info: account.info,
            role: account.role.as_str().to_owned(),
            wechat_bound: !account.wechat_openid.is_empty(),
            created_at_ms: account.created_at_ms,
            wechat_openid: account.wechat_openid,
        }
    }
}

impl From<store::Profile> for Profile {
    fn from(profile: store::Profile) -> Self {
        Self {
            id: profile.id,
            nickname: profile.nickname,
            avatar: profile.avatar,
            info: profile.info,
        }
    }
}
