//! What belongs to a fleet: its processes, their ports and their settings.

use crate::engines::{Addresses, KAFKA, POSTGRES, REDIS};
use crate::gateway::DOMAINS;

/// What a target serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HTTP; behind the gateway.
    Api,
    /// gRPC.
    Rpc,
    /// Nothing.
    Mq,
}

/// The targets in the order of their admin ports, from 14001 on.
pub const TARGETS: [(&str, Kind); 14] = [
    ("order", Kind::Api),
    ("order", Kind::Rpc),
    ("order", Kind::Mq),
    ("payment", Kind::Api),
    ("payment", Kind::Rpc),
    ("payment", Kind::Mq),
    ("travel", Kind::Api),
    ("travel", Kind::Rpc),
    ("travel", Kind::Mq),
    ("usercenter", Kind::Api),
    ("usercenter", Kind::Rpc),
    ("mqueue", Kind::Api),
    ("mqueue", Kind::Rpc),
    ("mqueue", Kind::Mq),
];

/// From one replica's port to the next one's.
const STEP: u16 = 100;
/// The gateway's port.
const GATEWAY: u16 = 8888;

/// What `cargo xtask fleet up` was asked for. Written to a file, so that `start`, `status` and `down` know it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// Processes of each rpc and mq target.
    pub replicas: u16,
    /// The cargo profile.
    pub profile: String,
    /// Added to every port, the gateway's too.
    pub offset: u16,
}

/// One process of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The target, and for replicas beside the first one their number: `order-rpc`, `order-rpc-1`.
    pub name: String,
    /// The target.
    pub target: String,
    /// Its kind.
    pub kind: Kind,
    /// Its `port_offset`.
    pub offset: u16,
    /// Where it serves HTTP or gRPC.
    pub port: Option<u16>,
    /// Where it serves health and metrics.
    pub admin: u16,
}

impl Fleet {
    /// Reads the arguments of `up`.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut fleet = Self {
            replicas: 1,
            profile: "dev".to_owned(),
            offset: 0,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
            let number = |text: &String| {
                text.parse::<u16>()
                    .map_err(|_| format!("{argument} takes a number, not {text:?}"))
            };
            match argument.as_str() {
                "--replicas" => fleet.replicas = number(value()?)?,
                "--release" => "release".clone_into(&mut fleet.profile),
                "--profile" => value()?.clone_into(&mut fleet.profile),
                "--offset" => fleet.offset = number(value()?)?,
                _ => {
                    return Err(format!(
                        "unknown argument {argument:?}; known are --replicas N, --release, --profile NAME, --offset N"
                    ));
                }
            }
        }
        if !(1..=9).contains(&fleet.replicas) {
            return Err("--replicas takes 1 to 9".to_owned());
        }
        if fleet.offset > 40_000 {
            return Err("--offset takes at most 40000".to_owned());
        }
        Ok(fleet)
    }

    /// As arguments again.
    pub fn arguments(&self) -> String {
        format!(
            "--replicas {} --profile {} --offset {}",
            self.replicas, self.profile, self.offset
        )
    }

    /// All processes, in the order of their admin ports.
    pub fn members(&self) -> Vec<Member> {
        let mut members = Vec::new();
        for (place, (domain, kind)) in (1..).zip(TARGETS) {
            let suffix = match kind {
                Kind::Api => "api",
                Kind::Rpc => "rpc",
                Kind::Mq => "mq",
            };
            let target = format!("{domain}-{suffix}");
            let replicas = if kind == Kind::Api { 1 } else { self.replicas };
            for replica in 0..replicas {
                let offset = self.offset + STEP * replica;
                let name = if replica == 0 {
                    target.clone()
                } else {
                    format!("{target}-{replica}")
                };
                members.push(Member {
                    name,
                    target: target.clone(),
                    kind,
                    offset,
                    port: base_port(domain, kind).map(|port| port + offset),
                    admin: 14_000 + place + offset,
                });
            }
        }
        members
    }

    /// Where the processes of a kind of a domain serve.
    pub fn addresses(&self, domain: &str, kind: Kind) -> Vec<String> {
        let Some(port) = base_port(domain, kind) else {
            return Vec::new();
        };
        let replicas = if kind == Kind::Api { 1 } else { self.replicas };
        (0..replicas)
            .map(|replica| format!("127.0.0.1:{}", port + self.offset + STEP * replica))
            .collect()
    }

    /// Where the gateway listens.
    pub fn gateway(&self) -> String {
        format!("127.0.0.1:{}", GATEWAY + self.offset)
    }

    /// The settings that all processes share. `secrets` are those of [`SECRETS`], by name.
    pub fn environment(
        &self,
        engines: &Addresses,
        secret: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<(String, String)>, String> {
        let secret = |name: &str| secret(name).ok_or_else(|| format!("the secret {name} is missing"));
        let engine = |(name, variable): (&str, &str)| {
            engines
                .get(variable)
                .cloned()
                .ok_or_else(|| format!("{name} is not there"))
        };
        let mut environment = Vec::new();
        let mut set = |name: &str, value: String| environment.push((format!("HOMESTAY__{name}"), value));
        set("MODE", "distributed".to_owned());
        set("DEMO", "true".to_owned());
        set("SAMPLE_DATA", "true".to_owned());
        set("LOG__FORMAT", "json".to_owned());
        set("GATEWAY__TRUST_FORWARDED", "true".to_owned());
        let base = format!("http://{}", self.gateway());
        set("PAYMENT__PUBLIC_BASE_URL", base);
        let callbacks = self.addresses("payment", Kind::Api);
        set("PAYMENT__CALLBACK_BASE_URL", format!("http://{}", callbacks[0]));
        set("KAFKA__BROKERS", engine(KAFKA)?);
        set("REDIS__URL", engine(REDIS)?);
        set("SECRETS__INTERNAL_CREDENTIAL", secret("internal_credential")?);
        set("SECRETS__JWT_KEYS", format!("1:{}", secret("jwt_key")?));
        set("SECRETS__SANDBOX", secret("sandbox")?);
        let admin = database(&engine(POSTGRES)?)?;
        let (_, host) = admin.rsplit_once('@').ok_or("the Postgres URL names nobody")?;
        for domain in DOMAINS {
            let key = domain.to_uppercase();
            let password = secret(&format!("{domain}_password"))?;
            set(
                &format!("DATABASES__{key}"),
                format!("postgres://homestay_{domain}:{password}@{host}"),
            );
            let endpoints: Vec<String> = self
                .addresses(domain, Kind::Rpc)
                .iter()
                .map(|address| format!("http://{address}"))
                .collect();
            set(&format!("ENDPOINTS__{key}"), endpoints.join(","));
        }
        Ok(environment)
    }
}

/// Secrets that are made once for a fleet.
pub const SECRETS: [&str; 8] = [
    "internal_credential",
    "jwt_key",
    "sandbox",
    "order_password",
    "payment_password",
    "travel_password",
    "usercenter_password",
    "mqueue_password",
];

/// The fleet's own database beside the one of the tests: the same URL with another name at its end.
pub fn database(admin_url: &str) -> Result<String, String> {
    let (server, _) = admin_url
        .rsplit_once('/')
        .filter(|(server, _)| server.contains('@'))
        .ok_or("the Postgres URL has no database")?;
    Ok(format!("{server}/{DATABASE}"))
}

/// Name of that database.
pub const DATABASE: &str = "homestay";

fn base_port(domain: &str, kind: Kind) -> Option<u16> {
    let place = (1..).zip(DOMAINS).find(|(_, name)| *name == domain)?.0;
    match kind {
        Kind::Api => Some(11_000 + place),
        Kind::Rpc => Some(12_000 + place),
        Kind::Mq => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(arguments: &str) -> Fleet {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        Fleet::parse(&arguments).expect("good arguments")
    }

    #[test]
    fn replicas_are_of_rpc_and_mq_and_each_is_a_hundred_ports_on() {
        let members = fleet("--replicas 2").members();

        assert_eq!(members.len(), 5 + 2 * 9);
        let second = members
            .iter()
            .find(|member| member.name == "mqueue-rpc-1")
            .expect("there");
        assert_eq!(
            (second.offset, second.port, second.admin),
            (100, Some(12_105), 14_113)
        );
        assert!(!members.iter().any(|member| member.name == "order-api-1"));
    }

    #[test]
    fn no_two_processes_share_a_port() {
        let members = fleet("--replicas 9").members();
        let mut ports: Vec<u16> = members
            .iter()
            .flat_map(|member| member.port.into_iter().chain([member.admin]))
            .collect();
        let all = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), all);
    }

    #[test]
    fn the_arguments_survive_being_written_down() {
        let asked = fleet("--replicas 3 --release --offset 5000");
        assert_eq!(fleet(&asked.arguments()), asked);
        assert!(Fleet::parse(&["--replicas".to_owned(), "0".to_owned()]).is_err());
        assert!(Fleet::parse(&["--fast".to_owned()]).is_err());
    }

    #[test]
    fn the_settings_name_every_replica_and_the_database_of_the_fleet() {
        let engines = Addresses::from([
            (
                POSTGRES.1.to_owned(),
                "postgres://postgres:x@127.0.0.1:15432/postgres".to_owned(),
            ),
            (REDIS.1.to_owned(), "redis://127.0.0.1:16379".to_owned()),
            (KAFKA.1.to_owned(), "127.0.0.1:19092".to_owned()),
        ]);

        let settings = fleet("--replicas 2")
            .environment(&engines, |name| Some(format!("<{name}>")))
            .expect("all there");

        let of = |name: &str| {
            settings
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(
            of("HOMESTAY__ENDPOINTS__ORDER"),
            Some("http://127.0.0.1:12001,http://127.0.0.1:12101")
        );
        assert_eq!(
            of("HOMESTAY__DATABASES__ORDER"),
            Some("postgres://homestay_order:<order_password>@127.0.0.1:15432/homestay")
        );
    }
}
