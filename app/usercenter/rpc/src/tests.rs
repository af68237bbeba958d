//! Use cases through the guarded server, over a real SQLite database.

mod accounts;
mod admin;
mod credentials;
mod demo;
mod grant;
mod seed;
mod sessions;
mod throttle;
mod wechat;

use std::sync::Arc;

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::{Code, Error};
use homestay_http::Keys;
use homestay_http::auth::Claims;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_proto::usercenter::user_center_server::UserCenterServer;
use homestay_proto::usercenter::{GetUserRequest, LoginRequest, RegisterRequest, Session, SessionKind, User};
use homestay_rpc::{Actor, Channel, LocalSlot};
use homestay_testkit::TestDb;
use homestay_types::Role;
use sqlx::Row;
use tonic::{Response, Status};

use crate::wechat::{SandboxWechat, WechatProvider};
use crate::{Config, METHODS, MIGRATIONS, Passwords, Throttle, UserService};

const MOBILE: &str = "13800000001";
const PASSWORD: &str = "hunter22";

type Client = UserCenterClient<Channel>;

/// The service over a database of its own.
struct TestUsers {
    clock: Clock,
    ids: Ids,
    keys: Keys,
    passwords: Passwords,
    slot: LocalSlot,
    db: Arc<TestDb>,
}

impl TestUsers {
    /// Without a throttle, and with the sandbox.
    async fn start() -> Self {
        Self::start_with(no_throttle(), Arc::new(SandboxWechat)).await
    }

    async fn start_with(config: Config, wechat: Arc<dyn WechatProvider>) -> Self {
        let (clock, ids) = homestay_testkit::clock();
        let db = Arc::new(homestay_testkit::database(MIGRATIONS).await);
        Self::over(db, clock, ids, &config, wechat, true)
    }

    fn over(
        db: Arc<TestDb>,
        clock: Clock,
        ids: Ids,
        config: &Config,
        wechat: Arc<dyn WechatProvider>,
        demo: bool,
    ) -> Self {
        let keys = Keys::new(vec![("k1".into(), "secret".into())], clock.clone());
        let service = UserService::new(
            db.db.clone(),
            ids.clone(),
            clock.clone(),
            config,
            keys.clone(),
            wechat,
            Throttle::local(config, &clock),
        )
        .with_demo(demo);
        let passwords = service.passwords.clone();
        let slot = homestay_testkit::serve(UserCenterServer::new(service), METHODS);
        Self {
            clock,
            ids,
            keys,
            passwords,
            slot,
            db,
        }
    }

    /// Another server over the same database.
    fn again(&self, demo: bool) -> Self {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        Self::over(
            self.db.clone(),
            clock,
            ids,
            &no_throttle(),
            Arc::new(SandboxWechat),
            demo,
        )
    }

    fn db(&self) -> &Db {
        &self.db.db
    }

    fn anyone(&self) -> Client {
        self.client(&Actor::Anonymous)
    }

    fn user(&self, id: i64) -> Client {
        self.client(&Actor::User {
            id,
            role: Role::Guest,
        })
    }

    fn service(&self) -> Client {
        self.client(&Actor::Service("test".into()))
    }

    fn client(&self, actor: &Actor) -> Client {
        UserCenterClient::new(homestay_testkit::channel_as(&self.slot, actor))
    }

    async fn register(&self, mobile: &str, password: &str) -> Result<Session, Error> {
        answer(self.anyone().register(registration(mobile, password)).await)
    }

    async fn login(&self, mobile: &str, password: &str) -> Result<Session, Error> {
        answer(self.anyone().login(credentials(mobile, password)).await)
    }

    async fn account(&self, id: i64) -> User {
        answer(self.user(id).get_user(GetUserRequest { id }).await).expect("an account")
    }

    fn claims(&self, session: &Session) -> Claims {
        self.keys
            .verify(&session.access_token)
            .expect("a token that every api accepts")
    }

    async fn count(&self, table: &'static str) -> i64 {
        let sql = match table {
            "app_user" => "SELECT COUNT(*) AS n FROM app_user",
            "user_auth" => "SELECT COUNT(*) AS n FROM user_auth",
            "refresh_token" => "SELECT COUNT(*) AS n FROM refresh_token",
            "refresh_family" => "SELECT COUNT(*) AS n FROM refresh_family",
            other => panic!("no table {other}"),
        };
        let row = sqlx::query(sql)
            .fetch_one(self.db().read())
            .await
            .expect("a count");
        row.get("n")
    }

    async fn password_hash(&self, id: i64) -> String {
        sqlx::query("SELECT password_hash FROM app_user WHERE id = $1")
            .bind(id)
            .fetch_one(self.db().read())
            .await
            .expect("an account")
            .get("password_hash")
    }
}

fn no_throttle() -> Config {
    Config {
        register_per_minute: 0,
        login_per_minute: 0,
        ..Config::default()
    }
}

fn registration(mobile: &str, password: &str) -> RegisterRequest {
    RegisterRequest {
        mobile: mobile.into(),
        password: password.into(),
        nickname: String::new(),
        address: "10.0.0.1".into(),
        kind: SessionKind::Rest.into(),
    }
}

fn credentials(mobile: &str, password: &str) -> LoginRequest {
    LoginRequest {
        mobile: mobile.into(),
        password: password.into(),
        address: "10.0.0.1".into(),
        kind: SessionKind::Rest.into(),
    }
}

fn answer<T>(outcome: Result<Response<T>, Status>) -> Result<T, Error> {
    outcome.map(Response::into_inner).map_err(Error::from)
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Code {
    outcome.expect_err("a refusal").code()
}

#[test]
fn the_method_table_names_every_method() {
    homestay_testkit::assert_methods_cover("homestay.usercenter.v1.UserCenter", METHODS);
}
