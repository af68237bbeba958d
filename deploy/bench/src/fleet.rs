//! The system as processes of their own, on Postgres, Kafka and Redis.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Ask, Client};
use crate::embedded::PLAIN;
use crate::engines::Engines;
use crate::process::{Process, output};
use crate::store::{Store, psql};
use crate::system::System;
use crate::world::Addresses;

const DOMAINS: [&str; 5] = ["order", "payment", "travel", "usercenter", "mqueue"];

/// Every target, in the order of the admin ports.
const TARGETS: [&str; 14] = [
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

/// The targets of one request's way through a booking.
const JOINED: [&str; 3] = ["order-api", "order-rpc", "travel-rpc"];

/// Which targets share a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One process per target.
    Apart,
    /// order-api, order-rpc and travel-rpc in one, the others apart.
    Joined,
}

impl Layout {
    fn processes(self) -> Vec<Vec<&'static str>> {
        let apart =
            |targets: &mut dyn Iterator<Item = &'static str>| targets.map(|name| vec![name]).collect();
        match self {
            Self::Apart => apart(&mut TARGETS.into_iter()),
            Self::Joined => {
                let mut all: Vec<Vec<&str>> =
                    apart(&mut TARGETS.into_iter().filter(|name| !JOINED.contains(name)));
                all.push(JOINED.to_vec());
                all
            }
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Apart => "fleet (one process per target, 1 worker thread each; Postgres, Kafka, Redis)",
            Self::Joined => {
                "order-api, order-rpc and travel-rpc in one process, the others apart (Postgres, Kafka, Redis)"
            }
        }
    }
}

/// What a start needs.
pub struct Plan<'a> {
    pub program: &'a Path,
    pub folder: &'a Path,
    pub houses: usize,
    pub port_offset: u16,
    pub layout: Layout,
}

/// Migrates an empty database, starts the processes, waits until all are ready, and fills in houses.
///
/// # Errors
/// A sentence about the program or the engines.
pub async fn start(plan: &Plan<'_>, engines: &Engines) -> Result<System, String> {
    std::fs::create_dir_all(plan.folder).map_err(|error| format!("{}: {error}", plan.folder.display()))?;
    for domain in DOMAINS {
        psql(
            &engines.postgres,
            &format!("DROP SCHEMA IF EXISTS homestay_{domain} CASCADE"),
        )?;
    }
    let command = || command(plan, engines);
    output(command().args(["migrate", "--admin-url", &engines.postgres]))?;
    let mut processes = Vec::new();
    let mut admins = Vec::new();
    for targets in plan.layout.processes() {
        let log = plan.folder.join(format!("{}.log", targets[0]));
        let mut process = command();
        process.args(&targets);
        if targets.len() > 1 {
            process.env("HOMESTAY__WORKER_THREADS", "1");
        }
        processes.push(Process::start(&mut process, &log)?);
        let place = TARGETS.iter().position(|name| *name == targets[0]).unwrap_or(0);
        let admin = 14_001 + u16::try_from(place).unwrap_or(0);
        admins.push(local(admin + plan.port_offset));
    }
    for admin in &admins {
        ready(*admin)
            .await
            .map_err(|sentence| format!("{sentence}; see {}", plan.folder.display()))?;
    }
    output(command().args(["seed", "--houses", &plan.houses.to_string()]))?;
    psql(&engines.postgres, "ANALYZE")?;
    let api = |nth: u16| local(11_000 + nth + plan.port_offset);
    Ok(System {
        name: plan.layout.name().to_owned(),
        addresses: Addresses {
            order: api(1),
            payment: api(2),
            travel: api(3),
            usercenter: api(4),
        },
        admins,
        processes,
        store: Store::postgres(&engines.postgres)?,
    })
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The program with the settings of every process; passwords are for servers that only this machine reaches.
fn command(plan: &Plan<'_>, engines: &Engines) -> Command {
    let mut command = Command::new(plan.program);
    command
        .envs(PLAIN)
        .env("HOMESTAY__MODE", "distributed")
        .env("HOMESTAY__PORT_OFFSET", plan.port_offset.to_string())
        .env("HOMESTAY__KAFKA__BROKERS", &engines.kafka)
        .env("HOMESTAY__REDIS__URL", &engines.redis)
        .env(
            "HOMESTAY__SECRETS__INTERNAL_CREDENTIAL",
            "bench-internal-credential-0123456789",
        )
        .env(
            "HOMESTAY__SECRETS__JWT_KEYS",
            "bench:0123456789abcdef0123456789abcdef",
        )
        .env(
            "HOMESTAY__SECRETS__SANDBOX",
            "bench-sandbox-secret-0123456789abcdef",
        )
        .env(
            "HOMESTAY__PAYMENT__PUBLIC_BASE_URL",
            format!("http://{}", local(11_002 + plan.port_offset)),
        );
    // postgres://user:password@host:port/database
    let server = engines.postgres.rsplit('@').next().unwrap_or_default();
    for (domain, port) in DOMAINS.into_iter().zip(12_001..) {
        let name = domain.to_uppercase();
        command
            .env(
                format!("HOMESTAY__DATABASES__{name}"),
                format!("postgres://homestay_{domain}:bench@{server}"),
            )
            .env(
                format!("HOMESTAY__ENDPOINTS__{name}"),
                format!("http://{}", local(port + plan.port_offset)),
            );
    }
    command
}

/// Waits until a process says that it is ready.
async fn ready(admin: SocketAddr) -> Result<(), String> {
    let begin = Instant::now();
    let mut client = Client::default();
    loop {
        let said = match client.send(admin, Ask::get("/readyz", None)).await {
            Ok((200, _)) => return Ok(()),
            Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(body)),
            Err(sentence) => sentence,
        };
        if begin.elapsed() > Duration::from_secs(60) {
            return Err(format!("{admin} is not ready: {said}"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
