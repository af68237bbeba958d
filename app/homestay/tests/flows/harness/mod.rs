//! Runs the real program, in the mode that a flow is played in, and speaks to it as clients do.

pub mod check;
pub mod copy;
pub mod fleet;
mod free;
mod place;
mod server;
mod values;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use homestay_http::auth::Claims;
use homestay_types::Role;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use fleet::Fleet;
use place::audit;

pub use place::{AUDIT, Place};
pub use values::{day, mobile, next_day, stay, text, unique};

/// Longest wait for something that must happen; a failing test ends by it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a flow is played against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One process on a folder of its own.
    Embedded,
    /// Fourteen processes on Postgres, Kafka and Redis.
    Distributed,
}

/// Settings of one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Start {
    pub close_after: &'static str,
    /// Sample houses and demo accounts.
    pub sample: bool,
}

pub const USUAL: Start = Start {
    close_after: "30m",
    sample: true,
};

impl Start {
    /// What differs from the defaults, in both modes: no throttle, little patience with holds, a quiet log, and deadlines
    /// that leave room on a busy machine: nothing here is about speed.
    fn settings(self) -> [(&'static str, &'static str); 7] {
        [
            ("HOMESTAY__ORDER__CLOSE_AFTER", self.close_after),
            (
                "HOMESTAY__SAMPLE_DATA",
                if self.sample { "true" } else { "false" },
            ),
            ("HOMESTAY__AUTH__REGISTER_PER_MINUTE", "0"),
            ("HOMESTAY__AUTH__LOGIN_PER_MINUTE", "0"),
            ("HOMESTAY__TRAVEL__ASK_AFTER", "1s"),
            ("HOMESTAY__GATEWAY__DEADLINE", "9s"),
            ("HOMESTAY__LOG__LEVEL", "error"),
        ]
    }
}

/// A running system. What is only of this flow is killed when dropped.
pub struct Program {
    runs: Runs,
    pub base: String,
    /// Base of the admin ports: one a process.
    pub admins: Vec<String>,
    pub http: Client,
    /// As kept in its data folder.
    secrets: Option<Value>,
    _log: Option<Log>,
    _folder: Option<tempfile::TempDir>,
}

/// Where a process logs to; shown if the test fails.
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        fleet::show_end_of(&self.0);
    }
}

enum Runs {
    One {
        child: Box<Child>,
        _lines: Lines<BufReader<ChildStdout>>,
        data: PathBuf,
    },
    Fleet(Arc<Fleet>),
    Elsewhere,
}

/// Whatever a flow has done, the books agree.
impl Drop for Program {
    fn drop(&mut self) {
        if let Runs::One { child, data, .. } = &mut self.runs
            && matches!(child.try_wait(), Ok(None))
            && !std::thread::panicking()
        {
            audit(data);
        }
    }
}

pub fn client() -> Client {
    homestay_http::install_tls();
    Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client")
}

impl Program {
    /// A system of these settings with data of nobody else, or, distributed, with houses of nobody else: fleets are shared
    /// by the flows that only use them.
    pub async fn start(mode: Mode, start: Start) -> Self {
        match mode {
            Mode::Embedded => Self::alone(mode, start).await,
            Mode::Distributed => Self::of(fleet::shared(start).await),
        }
    }

    /// A system of this flow alone, which it may overload or stop.
    pub async fn alone(mode: Mode, start: Start) -> Self {
        let place = Place::new(mode, start).await;
        let mut program = place.start(start).await;
        if let Place::Folder(folder) = place {
            program._folder = Some(folder);
        }
        program
    }

    /// What somebody else runs at this address.
    pub fn at(base: &str) -> Self {
        Self {
            runs: Runs::Elsewhere,
            base: base.to_owned(),
            admins: Vec::new(),
            http: client(),
            secrets: None,
            _log: None,
            _folder: None,
        }
    }

    fn of(fleet: Arc<Fleet>) -> Self {
        let admins = fleet::TARGETS.iter().map(|(name, ..)| fleet.ground.admin(name));
        Self {
            base: fleet.base(),
            admins: admins.collect(),
            http: client(),
            _log: Some(Log(fleet.ground.log.clone())),
            runs: Runs::Fleet(fleet),
            secrets: None,
            _folder: None,
        }
    }

    /// Starts the one process and waits until it says that it is ready.
    pub async fn embedded(data: &Path, start: Start) -> Self {
        Self::run(data, start, command(data, start), None).await
    }

    async fn run(data: &Path, start: Start, mut command: Command, log: Option<&Path>) -> Self {
        let log = Log(log.map_or_else(|| data.join("log"), Path::to_owned));
        let mut child = command
            .stderr(fleet::appending(&log.0))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut base = String::new();
        let mut admin = String::new();
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if let Some(url) = line.strip_prefix("homestay is ready at ") {
                    base = url.to_owned();
                } else if let Some(url) = line.strip_prefix("metrics and health at ") {
                    admin = url.to_owned();
                }
                if line == "sample data is in place" || (!start.sample && !admin.is_empty()) {
                    return;
                }
            }
            panic!("the program ended before it was ready");
        };
        tokio::time::timeout(PATIENCE, ready)
            .await
            .expect("ready in time");
        let secrets = std::fs::read_to_string(data.join("secrets.json")).expect("its secrets");
        Self {
            base,
            admins: vec![admin],
            http: client(),
            secrets: serde_json::from_str(&secrets).ok(),
            _log: Some(log),
            runs: Runs::One {
                child: Box::new(child),
                _lines: lines,
                data: data.to_owned(),
            },
            _folder: None,
        }
    }

    /// kill -9: of the one process, or of the target whose turn it is.
    pub async fn kill(mut self, turn: usize) {
        match &mut self.runs {
            Runs::One { child, .. } => child.kill().await.expect("killed"),
            Runs::Fleet(fleet) => fleet.kill(fleet::TARGETS[turn % fleet::TARGETS.len()].0),
            Runs::Elsewhere => unreachable!("it is not ours"),
        }
    }

    /// SIGTERM; whether everything ended with success.
    pub async fn stop(mut self) -> bool {
        let child = match &mut self.runs {
            Runs::One { child, .. } => child,
            Runs::Fleet(fleet) => return fleet.stop().await,
            Runs::Elsewhere => unreachable!("it is not ours"),
        };
        assert!(fleet::send("-TERM", child.id().expect("running")));
        tokio::time::timeout(PATIENCE, child.wait())
            .await
            .expect("stops in time")
            .expect("waited")
            .success()
    }

    /// Address of the process that serves a domain's HTTP, without a gateway between.
    pub fn direct(&self, domain: &str) -> String {
        match &self.runs {
            Runs::One { .. } | Runs::Elsewhere => self.base.clone(),
            Runs::Fleet(fleet) => fleet.ground.api(domain),
        }
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> (StatusCode, Value) {
        let patience = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.call(Method::GET, path, token, None).await;
            let late = tokio::time::Instant::now() > patience;
            if late || !self.is_overloaded(answer.0).await {
                return answer;
            }
        }
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, token, Some(body)).await
    }

    /// A new guest's access token.
    pub async fn guest(&self) -> String {
        loop {
            let account = json!({ "mobile": mobile(), "password": "correct horse" });
            let (status, session) = self.post("/v1/users", None, account).await;
            if self.is_overloaded(status).await {
                continue;
            }
            assert_eq!(status, 201, "{session}");
            return text(&session, "accessToken");
        }
    }

    /// A secret of the running system: the one that was kept in the data folder, or the fleet's.
    fn secret(&self, pick: fn(&Value) -> &Value) -> String {
        match &self.secrets {
            Some(kept) => pick(kept).as_str().expect("a text").to_owned(),
            None => fleet::SECRET.to_owned(),
        }
    }

    /// What proves calls between the system's own processes.
    pub fn credential(&self) -> String {
        self.secret(|kept| &kept["internal_credential"])
    }

    /// What access tokens are signed with.
    pub fn signing_key(&self) -> String {
        self.secret(|kept| &kept["jwt_keys"][0][1])
    }

    /// The access token of a host without houses.
    pub async fn other_host(&self) -> String {
        let (status, me) = self.get("/v1/users/me", Some(&self.guest().await)).await;
        assert_eq!(status, 200, "{me}");
        self.token_of(me["id"].as_i64().expect("an id"), Role::Host)
    }

    /// An access token of this account, as it would be issued if it had this role.
    pub fn token_of(&self, user_id: i64, role: Role) -> String {
        let clock = homestay_clock::Clock::system();
        let now = clock.now_ms() / 1000;
        let key = ("1".to_owned(), self.signing_key());
        let claims = Claims {
            exp: now + 600,
            iat: now,
            user_id,
            role,
        };
        homestay_http::Keys::new(vec![key], clock)
            .sign(&claims)
            .expect("a token")
    }

    /// Whether a fleet says "come again" (503): fourteen processes that share a busy machine with whatever else runs do, and
    /// clients come again. One process has no reason to.
    pub async fn is_overloaded(&self, status: StatusCode) -> bool {
        let overloaded = status == 503 && matches!(self.runs, Runs::Fleet(_));
        if overloaded {
            // Not all at the same moment again.
            tokio::time::sleep(Duration::from_millis(rand::random_range(300..2000))).await;
        }
        overloaded
    }

    /// Books with an idempotency key; comes again with the same one where a fleet says so.
    pub async fn book(&self, token: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        let booking = async {
            loop {
                let response = self
                    .http
                    .post(format!("{}/v1/orders", self.base))
                    .bearer_auth(token)
                    .header("idempotency-key", key)
                    .json(body)
                    .send()
                    .await
                    .expect("an answer");
                let status = response.status();
                if !self.is_overloaded(status).await {
                    return (status, response.json().await.expect("JSON"));
                }
            }
        };
        tokio::time::timeout(PATIENCE * 2, booking)
            .await
            .expect("an answer other than 503 in time")
    }

    /// A booking that must succeed: its number.
    pub async fn booked(&self, token: &str, body: &Value) -> String {
        let (status, order) = self.book(token, &unique(), body).await;
        assert_eq!(status, 201, "{order}");
        text(&order, "sn")
    }

    /// The pay page of an order.
    pub async fn pay_url(&self, token: &str, sn: &str) -> String {
        let (status, payment) = self
            .post("/v1/payments", Some(token), json!({ "orderSn": sn }))
            .await;
        assert_eq!(status, 201, "{payment}");
        text(&payment, "payUrl")
    }

    /// Presses a button of the pay page.
    pub async fn press(&self, pay_url: &str, button: &str) -> StatusCode {
        let form = [("action", button)];
        self.http
            .post(pay_url)
            .form(&form)
            .send()
            .await
            .expect("an answer")
            .status()
    }

    /// Waits until the order is in `state`.
    pub async fn until(&self, token: &str, sn: &str, state: &str) -> Value {
        let path = format!("/v1/orders/{sn}");
        let wait = async {
            loop {
                let (status, order) = self.get(&path, Some(token)).await;
                assert_eq!(status, 200, "{order}");
                if order["state"] == state {
                    return order;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(order) => order,
            Err(_) => panic!("{sn} is not {state}: {}", self.get(&path, Some(token)).await.1),
        }
    }
}

/// The program's command line on a data folder, with free ports and no throttle.
pub fn command(data: &Path, start: Start) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homestay"));
    command
        .env("HOMESTAY__DATA_DIR", data)
        .env("HOMESTAY__GATEWAY__LISTEN", "127.0.0.1:0")
        .env("HOMESTAY__ADMIN__LISTEN", "127.0.0.1:0")
        .envs(start.settings())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
