//! Every target in a process of its own, two of each rpc and mq, started again when killed, as an orchestrator does.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::engines::Engines;

const DOMAINS: [&str; 5] = ["order", "payment", "travel", "usercenter", "mqueue"];
/// Every kind of process, in the order of the admin ports.
pub const TARGETS: [&str; 14] = [
    "order-api",
    "order-rpc",
    "order-mq",
    "payment-api",
    "payment-rpc",
    "payment-mq",
    "travel-api",
    "travel-rpc",
    "travel-mq",
    "usercenter-api",
    "usercenter-rpc",
    "mqueue-api",
    "mqueue-rpc",
    "mqueue-mq",
];

struct Process {
    target: &'static str,
    replica: u16,
    child: Child,
}

pub struct Fleet {
    folder: PathBuf,
    environment: Vec<(String, String)>,
    offset: u16,
    processes: Vec<Process>,
}

impl Fleet {
    /// Migrates, starts and seeds.
    pub fn up(engines: &Engines, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder");
        let offset = free_offset();
        let mut fleet = Self {
            environment: environment(engines, offset),
            folder,
            offset,
            processes: Vec::new(),
        };
        fleet.run(&["migrate", "--admin-url", &engines.postgres]);
        for target in TARGETS {
            for replica in 0..replicas(target) {
                let child = fleet.spawn(target, replica);
                fleet.processes.push(Process {
                    target,
                    replica,
                    child,
                });
            }
        }
        for target in TARGETS {
            fleet.until_ready(target);
        }
        fleet.run(&["seed", "--houses", "400"]);
        fleet
    }

    /// Where the api of the domain in this place (order, payment, travel, usercenter) answers.
    pub fn api(&self, place: u16) -> String {
        format!("http://127.0.0.1:{}", 11_001 + place + self.offset)
    }

    /// kill -9 of one process of this kind, and its next start.
    pub fn kill_one(&mut self, target: &str) {
        let place = self
            .processes
            .iter()
            .position(|process| process.target == target)
            .expect("there is one");
        self.processes[place].child.kill().expect("killed");
        self.processes[place].child.wait().expect("gone");
        let (target, replica) = (self.processes[place].target, self.processes[place].replica);
        self.processes[place].child = self.spawn(target, replica);
    }

    /// Processes that have ended by themselves.
    pub fn ended(&mut self) -> Vec<String> {
        let mut ended = Vec::new();
        for process in &mut self.processes {
            if let Ok(Some(status)) = process.child.try_wait() {
                ended.push(format!("{} {}: {status}", process.target, process.replica));
            }
        }
        ended
    }

    /// Whether every process says it is ready.
    pub fn all_ready(&self) -> bool {
        let mut ports = self
            .processes
            .iter()
            .map(|process| admin(process.target) + 100 * process.replica + self.offset);
        ports.all(is_ready)
    }

    fn until_ready(&mut self, target: &str) {
        let begin = Instant::now();
        for replica in 0..replicas(target) {
            while !is_ready(admin(target) + 100 * replica + self.offset) {
                assert_eq!(
                    self.ended(),
                    Vec::<String>::new(),
                    "see {}",
                    self.folder.display()
                );
                assert!(
                    begin.elapsed() < crate::READY,
                    "{target} is not ready; see {}",
                    self.folder.display()
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn command(&self, replica: u16) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homestay"));
        command
            .envs(self.environment.iter().cloned())
            .env("HOMESTAY__PORT_OFFSET", (self.offset + 100 * replica).to_string())
            .stdin(Stdio::null());
        command
    }

    fn spawn(&self, target: &str, replica: u16) -> Child {
        let path = self.folder.join(format!("{target}-{replica}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(path)
            .expect("a log");
        let copy = log.try_clone().expect("a log");
        let mut command = self.command(replica);
        command
            .arg(target)
            .stdout(log)
            .stderr(copy)
            .spawn()
            .expect("the program starts")
    }

    fn run(&self, arguments: &[&str]) {
        let output = self
            .command(0)
            .args(arguments)
            .output()
            .expect("the program starts");
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that has ended already is no failure here.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

fn replicas(target: &str) -> u16 {
    if target.ends_with("-api") { 1 } else { 2 }
}

fn admin(target: &str) -> u16 {
    let place = TARGETS.iter().position(|name| *name == target).expect("a target");
    14_001 + u16::try_from(place).expect("fourteen")
}

fn is_ready(port: u16) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<String> {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    ask().is_ok_and(|text| text.starts_with("HTTP/1.1 200"))
}

/// A number to add to every port so that all are free, also beside another fleet.
fn free_offset() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (1..60)
        .map(|n| 5_000 + n * 250)
        .find(|offset| {
            [0, 100].into_iter().all(|replica| {
                let of = |first: u16, n: u16| (first..first + n).all(|port| free(port + offset + replica));
                of(11_001, 5) && of(12_001, 5) && of(14_001, 14)
            })
        })
        .expect("free ports")
}

fn environment(engines: &Engines, offset: u16) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [
        ("MODE", "distributed"),
        ("DEMO", "true"),
        ("SAMPLE_DATA", "false"),
        ("AUTH__REGISTER_PER_MINUTE", "0"),
        ("AUTH__LOGIN_PER_MINUTE", "0"),
        ("LOG__FORMAT", "json"),
        // Nights without an answer are asked about at the next sweep, so that the end is not long to wait for.
        ("TRAVEL__ASK_AFTER", "10s"),
        (
            "SECRETS__INTERNAL_CREDENTIAL",
            "faults-internal-credential-0123456789",
        ),
        ("SECRETS__JWT_KEYS", "faults:0123456789abcdef0123456789abcdef"),
        ("SECRETS__SANDBOX", "faults-sandbox-secret-0123456789abcdef"),
        ("KAFKA__BROKERS", &engines.kafka),
        ("REDIS__URL", &engines.redis),
    ]
    .into_iter()
    .map(|(name, value)| (format!("HOMESTAY__{name}"), value.to_owned()))
    .collect();
    let server = engines.postgres.rsplit('@').next().expect("user@host");
    for (domain, port) in DOMAINS.into_iter().zip(12_001..) {
        let name = domain.to_uppercase();
        let of = |replica: u16| format!("http://127.0.0.1:{}", port + offset + 100 * replica);
        all.push((
            format!("HOMESTAY__DATABASES__{name}"),
            format!("postgres://homestay_{domain}:faults@{server}"),
        ));
        all.push((
            format!("HOMESTAY__ENDPOINTS__{name}"),
            format!("{},{}", of(0), of(1)),
        ));
    }
    all.push((
        "HOMESTAY__PAYMENT__PUBLIC_BASE_URL".to_owned(),
        format!("http://127.0.0.1:{}", 11_002 + offset),
    ));
    all
}
