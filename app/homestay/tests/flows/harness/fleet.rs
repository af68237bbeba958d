//! All targets as processes on Postgres, Kafka and Redis, behind nginx: a database, topics and keys of its own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::server::{admin, drop_database};
use super::{PATIENCE, Start, client};

/// Name, HTTP or gRPC port, admin port (design.md §3).
pub const TARGETS: [(&str, u16, u16); 14] = [
    ("order-api", 11001, 14001),
    ("order-rpc", 12001, 14002),
    ("order-mq", 0, 14003),
    ("payment-api", 11002, 14004),
    ("payment-rpc", 12002, 14005),
    ("payment-mq", 0, 14006),
    ("travel-api", 11003, 14007),
    ("travel-rpc", 12003, 14008),
    ("travel-mq", 0, 14009),
    ("usercenter-api", 11004, 14010),
    ("usercenter-rpc", 12004, 14011),
    ("mqueue-api", 11005, 14012),
    ("mqueue-rpc", 12005, 14013),
    ("mqueue-mq", 0, 14014),
];
pub const DOMAINS: [&str; 5] = ["order", "payment", "travel", "usercenter", "mqueue"];

/// Roles are those of the whole Postgres server: all fleets of all tests share them, with this password.
const PASSWORD: &str = "homestay-test";
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Where tests find the engines.
#[derive(Clone)]
pub struct Engines {
    pub postgres: String,
    redis: String,
    kafka: Kafka,
}

#[derive(Clone)]
enum Kafka {
    Brokers(String),
    /// The program that stands in for it: one a fleet, as it must know its topics from the start.
    StandIn(PathBuf),
}

/// The engines, if all three are named; else tests of the distributed mode have nothing to run on.
pub fn engines() -> Option<Engines> {
    let server = homestay_config::test_server;
    let stand_in = || server("HOMESTAY_TEST_KAFKA_MOCK").map(|program| Kafka::StandIn(program.into()));
    Some(Engines {
        postgres: server("HOMESTAY_TEST_POSTGRES_URL")?,
        redis: server("HOMESTAY_TEST_REDIS_URL")?,
        kafka: server("HOMESTAY_TEST_KAFKA_BROKERS")
            .map(Kafka::Brokers)
            .or_else(stand_in)?,
    })
}

impl Kafka {
    /// Where the brokers are for a fleet whose topics begin with `prefix`, and the process that has to live as long.
    fn up(&self, prefix: &str) -> (String, Option<Process>) {
        match self {
            Self::Brokers(brokers) => (brokers.clone(), None),
            Self::StandIn(program) => {
                let topics = homestay_types::topic::ALL
                    .iter()
                    .map(|(_, name)| format!("{prefix}{name}"));
                let mut child = Command::new(program)
                    .arg("2")
                    .args(topics)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("the stand-in starts");
                let mut brokers = String::new();
                BufReader::new(child.stdout.take().expect("a pipe"))
                    .read_line(&mut brokers)
                    .expect("its brokers");
                (brokers.trim().to_owned(), Some(Process(child)))
            }
        }
    }
}

/// Ports that no other fleet has. Taken as long as this is, by listening on one of them.
pub struct Ports {
    pub offset: u16,
    _taken: TcpListener,
}

impl Ports {
    /// A free range, below those that the system gives to clients.
    pub fn take() -> Self {
        for offset in (0..50).map(|n| 15_000 + 20 * n) {
            let Ok(taken) = TcpListener::bind(("127.0.0.1", 11_011 + offset)) else {
                continue;
            };
            let free = |port: u16| port == 0 || TcpListener::bind(("127.0.0.1", port + offset)).is_ok();
            let all = TARGETS.iter().all(|(_, port, admin)| free(*port) && free(*admin));
            if all && free(11_012) {
                return Self {
                    offset,
                    _taken: taken,
                };
            }
        }
        panic!("no free range of ports");
    }

    pub fn gateway(&self) -> u16 {
        11_012 + self.offset
    }
}

/// The servers of one fleet: a database, a prefix of topics and keys, ports. Gone with this value.
pub struct Ground {
    pub engines: Engines,
    pub name: String,
    brokers: String,
    _stand_in: Option<Process>,
    pub ports: Ports,
    pub folder: tempfile::TempDir,
    start: Start,
    /// Settings besides those of the start.
    settings: Vec<(String, String)>,
    /// Where all processes log to.
    pub log: PathBuf,
}

impl Ground {
    pub async fn new(start: Start) -> Self {
        Self::with(start, &[], None).await
    }

    /// With these settings besides, and the logs of all processes in one file.
    pub async fn with(start: Start, settings: &[(&str, &str)], log: Option<&Path>) -> Self {
        let engines = engines().expect("the engines are named");
        let name = format!("flows_{:016x}", rand::random::<u64>());
        admin(&engines.postgres, format!("CREATE DATABASE {name}"))
            .await
            .expect("a database");
        let (brokers, stand_in) = engines.kafka.up(&format!("{name}."));
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            engines,
            name,
            brokers,
            _stand_in: stand_in,
            ports: Ports::take(),
            log: log.map_or_else(|| folder.path().join("log"), Path::to_owned),
            folder,
            start,
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// The administrator's URL of this ground's database.
    pub fn admin_url(&self) -> String {
        let (server, _) = self
            .engines
            .postgres
            .rsplit_once('/')
            .expect("a URL with a database");
        format!("{server}/{}", self.name)
    }

    pub fn url(&self, domain: &str) -> String {
        let url = self.admin_url();
        let (_, place) = url.rsplit_once('@').expect("a URL with a user");
        format!("postgres://homestay_test_{domain}:{PASSWORD}@{place}")
    }

    /// The program with the settings of all targets.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homestay"));
        let gateway = format!("http://127.0.0.1:{}", self.ports.gateway());
        command
            .args(arguments)
            .env("HOMESTAY__MODE", "distributed")
            .env("HOMESTAY__PORT_OFFSET", self.ports.offset.to_string())
            .env("HOMESTAY__KAFKA__BROKERS", &self.brokers)
            .env("HOMESTAY__KAFKA__TOPIC_PREFIX", format!("{}.", self.name))
            .env("HOMESTAY__KAFKA__PARTITIONS", "2")
            .env("HOMESTAY__REDIS__URL", &self.engines.redis)
            .env("HOMESTAY__REDIS__PREFIX", &self.name)
            .env("HOMESTAY__PAYMENT__PUBLIC_BASE_URL", gateway)
            .env("HOMESTAY__SECRETS__INTERNAL_CREDENTIAL", SECRET)
            .env("HOMESTAY__SECRETS__JWT_KEYS", format!("1:{SECRET}"))
            .env("HOMESTAY__SECRETS__SANDBOX", SECRET)
            .env("HOMESTAY__GATEWAY__TRUST_FORWARDED", "true")
            .envs(self.start.settings())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        for (domain, port) in DOMAINS.iter().zip(12_001..) {
            let name = domain.to_uppercase();
            command
                .env(format!("HOMESTAY__DATABASES__{name}"), self.url(domain))
                .env(
                    format!("HOMESTAY__ENDPOINTS__{name}"),
                    format!("http://127.0.0.1:{}", port + self.ports.offset),
                );
        }
        command
    }

    /// Starts targets, which log to the ground's file.
    pub fn start(&self, targets: &[&str]) -> Process {
        let mut command = self.command(targets);
        command.stderr(appending(&self.log));
        Process::start(command)
    }

    /// Runs a command of the program that must succeed.
    pub fn run(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "homestay {arguments:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }

    pub fn migrate(&self) {
        self.run(&["migrate", "--admin-url", &self.admin_url()]);
    }

    /// Base of a domain's HTTP routes.
    pub fn api(&self, domain: &str) -> String {
        let found = TARGETS.iter().find(|(name, ..)| *name == format!("{domain}-api"));
        format!(
            "http://127.0.0.1:{}",
            found.expect("a domain").1 + self.ports.offset
        )
    }

    pub fn admin(&self, target: &str) -> String {
        let found = TARGETS.iter().find(|(name, ..)| *name == target);
        format!(
            "http://127.0.0.1:{}",
            found.expect("a target").2 + self.ports.offset
        )
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop_database(&self.engines.postgres, &self.name);
    }
}

/// A process that ends with this value.
pub struct Process(Child);

impl Process {
    pub fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("it starts"))
    }

    pub fn signal(&self, signal: &str) {
        assert!(send(signal, self.0.id()), "kill {signal}");
    }

    /// Whether it ended with success; waits for that.
    pub async fn ended(&mut self) -> bool {
        let wait = async {
            loop {
                if let Some(status) = self.0.try_wait().expect("waited") {
                    return status.success();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("stops in time")
    }

    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// By the shell's own `kill`: the program of that name is not on every machine.
pub fn send(signal: &str, pid: u32) -> bool {
    let line = format!("kill {signal} {pid}");
    Command::new("bash")
        .args(["-c", &line])
        .status()
        .is_ok_and(|status| status.success())
}

/// nginx, which ends its workers only if it is told to.
struct Gateway(Process);

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.0.runs() {
            self.0.signal("-TERM");
            let _ = self.0.0.wait();
        }
    }
}

/// A running fleet.
pub struct Fleet {
    /// By the target's name. What is missing has been killed.
    processes: Mutex<HashMap<&'static str, Process>>,
    _gateway: Gateway,
    pub ground: Ground,
}

impl Fleet {
    pub async fn start(start: Start) -> Self {
        Self::on(Ground::new(start).await).await
    }

    pub async fn on(ground: Ground) -> Self {
        let start = ground.start;
        ground.migrate();
        let gateway = gateway(&ground);
        let fleet = Self {
            processes: Mutex::default(),
            _gateway: gateway,
            ground,
        };
        fleet.revive().await;
        if start.sample {
            fleet.ground.run(&["seed"]);
        }
        fleet
    }

    fn processes(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what does not run, and waits until all are ready.
    pub async fn revive(&self) {
        for (name, ..) in TARGETS {
            self.processes()
                .entry(name)
                .or_insert_with(|| self.ground.start(&[name]));
        }
        let http = client();
        for (name, ..) in TARGETS {
            until_ready(&http, &self.ground.admin(name)).await;
        }
        let base = self.base();
        until_ok(&http, &format!("{base}/v1/homestays?limit=1")).await;
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.ground.ports.gateway())
    }

    /// kill -9 of one target.
    pub fn kill(&self, name: &str) {
        let process = self.processes().remove(name).expect("a running target");
        drop(process);
    }

    /// SIGTERM to all; whether all ended with success.
    pub async fn stop(&self) -> bool {
        let mut stopping: Vec<Process> = self.processes().drain().map(|(_, process)| process).collect();
        for process in &stopping {
            process.signal("-TERM");
        }
        let mut good = true;
        for process in &mut stopping {
            good &= process.ended().await;
        }
        good
    }
}

/// Whatever the flows have done that shared it, the books agree.
impl Drop for Fleet {
    fn drop(&mut self) {
        if self.processes().len() == TARGETS.len() && !std::thread::panicking() {
            self.ground.run(&super::AUDIT);
        }
    }
}

/// A file that any number of processes write lines to.
pub fn appending(path: &Path) -> std::fs::File {
    let mut options = std::fs::File::options();
    options.create(true).append(true).open(path).expect("a log")
}

/// The end of a log, to go with a test that is failing: its own output is shown then, what its processes print is not its own.
pub fn show_end_of(log: &Path) {
    if !std::thread::panicking() {
        return;
    }
    let Ok(bytes) = std::fs::read(log) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    println!("the last of {} lines in the log of its processes:", lines.len());
    for line in &lines[lines.len().saturating_sub(40)..] {
        println!("  {line}");
    }
}

pub async fn until_ready(http: &reqwest::Client, admin: &str) {
    until_ok(http, &format!("{admin}/readyz")).await;
}

async fn until_ok(http: &reqwest::Client, url: &str) {
    let wait = async {
        loop {
            if let Ok(answer) = http.get(url).send().await
                && answer.status() == 200
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{url} answers 200 in time"));
}

/// Fleets that flows share, by their settings; each ends with the last flow that uses it.
static SHARED: LazyLock<tokio::sync::Mutex<HashMap<Start, Weak<Fleet>>>> = LazyLock::new(Default::default);

pub async fn shared(start: Start) -> Arc<Fleet> {
    let mut shared = SHARED.lock().await;
    if let Some(fleet) = shared.get(&start).and_then(Weak::upgrade) {
        return fleet;
    }
    let fleet = Arc::new(Fleet::start(start).await);
    shared.insert(start, Arc::downgrade(&fleet));
    fleet
}

/// nginx over the gateway table that deployments use.
fn gateway(ground: &Ground) -> Gateway {
    let template: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/etc/nginx/gateway.conf.template");
    let mut config = std::fs::read_to_string(&template).expect("the gateway table");
    let mut fill = |name: &str, value: &str| config = config.replace(&format!("${{HOMESTAY_{name}}}"), value);
    fill("LISTEN", &format!("127.0.0.1:{}", ground.ports.gateway()));
    fill("RUN", &ground.folder.path().display().to_string());
    for (domain, port) in DOMAINS.iter().zip(11_001..) {
        let server = format!("server 127.0.0.1:{};", port + ground.ports.offset);
        fill(&format!("{}_API", domain.to_uppercase()), &server);
    }
    let path = ground.folder.path().join("nginx.conf");
    std::fs::write(&path, config).expect("a written file");
    let program = homestay_config::test_server("HOMESTAY_TEST_NGINX").unwrap_or_else(|| "nginx".to_owned());
    let mut nginx = Command::new(program);
    nginx
        .arg("-c")
        .arg(&path)
        .args(["-e", "stderr", "-g", "daemon off; user root;"])
        .stdin(Stdio::null())
        .stderr(appending(&ground.log));
    Gateway(Process::start(nginx))
}
