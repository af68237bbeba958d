//! `cargo xtask fleet`: every target as a process of its own, on the engines of `deploy/infra`, behind nginx.

mod plan;
mod process;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::engines::{self, POSTGRES};
use crate::{gateway, root};
use plan::{Fleet, Kind, Member};
use process::{Folder, answers, pss, taken};

/// The file with the arguments of the fleet that is up.
const ASKED: &str = "asked";
/// The file with the names of the engines that were started for it.
const ENGINES: &str = "started-engines";
/// The file with the program's path.
const PROGRAM: &str = "program";
/// The file with the settings, secrets included.
const ENVIRONMENT: &str = "environment";
/// Its engines are its own: tests make roles of the same names on theirs, with other passwords.
const SERVERS: &str = "target/fleet/engines";
/// The gateway among the processes.
const NGINX: &str = "nginx";
/// How long processes have to end: more than the program's own grace.
const GRACE: Duration = Duration::from_secs(15);
/// How long they have to become ready.
const START: Duration = Duration::from_secs(60);

/// `up`, `start`, `status` or `down`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let folder = Folder(root().join("target/fleet"));
    fs::create_dir_all(&folder.0).map_err(|error| format!("cannot make {}: {error}", folder.0.display()))?;
    let folder = Folder(fs::canonicalize(&folder.0).map_err(|error| error.to_string())?);
    match arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        Some(("up", rest)) => up(&folder, &Fleet::parse(rest)?),
        Some(("start", names)) => start(&folder, names),
        Some(("status", [])) => status(&folder),
        Some(("down", [])) => down(&folder),
        _ => Err(
            "one of: up [--replicas N] [--release|--profile NAME] [--offset N], start [NAME…], status, down"
                .to_owned(),
        ),
    }
}

/// The fleet that was brought up.
fn asked(folder: &Folder) -> Option<Fleet> {
    let text = folder.read(ASKED)?;
    let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    Fleet::parse(&arguments).ok()
}

fn up(folder: &Folder, fleet: &Fleet) -> Result<(), String> {
    let members = fleet.members();
    let running: Vec<String> = folder
        .started()
        .into_iter()
        .filter(|name| folder.running(name).is_some())
        .collect();
    if let Some(before) = asked(folder).filter(|before| before != fleet && !running.is_empty()) {
        return Err(format!(
            "a fleet is up with {}: cargo xtask fleet down, then again",
            before.arguments()
        ));
    }
    folder.write(ASKED, &fleet.arguments())?;
    let program = build(&fleet.profile)?;
    folder.write(PROGRAM, &program.display().to_string())?;

    let (addresses, fresh, _) = engines::up(SERVERS)?;
    let mut ours: Vec<&str> = fresh
        .into_iter()
        .filter(|name| !engines::stopped(&addresses).contains(name))
        .collect();
    let before = folder.read(ENGINES).unwrap_or_default();
    ours.extend(before.split_whitespace());
    ours.sort_unstable();
    ours.dedup();
    folder.write(ENGINES, &ours.join(" "))?;
    let missing = engines::stopped(&addresses);
    if !missing.is_empty() {
        return Err(format!("{} is missing, see above", missing.join(", ")));
    }

    let secrets = secrets(folder)?;
    let environment = fleet.environment(&addresses, |name| {
        secrets
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    })?;
    let lines: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    folder.write(ENVIRONMENT, &lines.concat())?;
    let admin_url = make_database(folder, &addresses[POSTGRES.1])?;
    folder.run(
        "migrate",
        &program,
        &["migrate", "--admin-url", &admin_url],
        &environment,
    )?;

    launch(folder, &members, &environment, &program)?;
    start_gateway(folder, fleet)?;
    folder.run("seed", &program, &["seed"], &environment)?;
    let base = format!("http://{}", fleet.gateway());
    println!(
        "fleet: {} processes and the gateway are ready at {base}",
        members.len()
    );
    println!("  try     {} demo --base {base}", program.display());
    println!(
        "  look    {base}/docs, cargo xtask fleet status, {}/*.log",
        folder.0.display()
    );
    println!(
        "  again   cargo xtask fleet start [NAME…] starts what has ended, cargo xtask fleet down ends all of it"
    );
    Ok(())
}

/// Starts what has ended of the fleet that is up; without names: all of it. Builds and migrates nothing.
fn start(folder: &Folder, names: &[String]) -> Result<(), String> {
    let fleet = asked(folder).ok_or("no fleet is up: cargo xtask fleet up")?;
    let program = PathBuf::from(
        folder
            .read(PROGRAM)
            .ok_or("no fleet is up: cargo xtask fleet up")?,
    );
    let text = folder
        .read(ENVIRONMENT)
        .ok_or("no fleet is up: cargo xtask fleet up")?;
    let environment: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut members = fleet.members();
    if let Some(unknown) = names
        .iter()
        .find(|name| *name != NGINX && !members.iter().any(|member| member.name == **name))
    {
        return Err(format!("the fleet has no {unknown:?}"));
    }
    if !names.is_empty() {
        members.retain(|member| names.contains(&member.name));
    }
    launch(folder, &members, &environment, &program)?;
    if names.is_empty() || names.iter().any(|name| name == NGINX) {
        start_gateway(folder, &fleet)?;
    }
    Ok(())
}

/// Starts those that do not run, and waits until all of them are ready.
fn launch(
    folder: &Folder,
    members: &[Member],
    environment: &[(String, String)],
    program: &std::path::Path,
) -> Result<(), String> {
    let down: Vec<&Member> = members
        .iter()
        .filter(|member| folder.running(&member.name).is_none())
        .collect();
    for member in &down {
        if let Some(port) = member
            .port
            .into_iter()
            .chain([member.admin])
            .find(|port| taken(*port))
        {
            return Err(format!(
                "port {port} of {} is taken by another program; --offset N moves all ports",
                member.name
            ));
        }
    }
    for member in &down {
        let mut environment = environment.to_vec();
        environment.push(("HOMESTAY__PORT_OFFSET".to_owned(), member.offset.to_string()));
        folder.start(&member.name, program, &[&member.target], &environment)?;
    }
    let end = Instant::now() + START;
    for member in members {
        while !answers(member.admin, "/readyz") {
            if folder.running(&member.name).is_none() {
                return Err(format!(
                    "{} has ended; {}",
                    member.name,
                    folder.tail(&member.name)
                ));
            }
            if Instant::now() > end {
                return Err(format!(
                    "{} does not become ready; {}",
                    member.name,
                    folder.tail(&member.name)
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn start_gateway(folder: &Folder, fleet: &Fleet) -> Result<(), String> {
    let run = folder.file("gateway");
    fs::create_dir_all(&run).map_err(|error| format!("cannot make {}: {error}", run.display()))?;
    if folder.running(NGINX).is_some() {
        return Ok(());
    }
    let nginx = engines::program(SERVERS, NGINX).ok_or("nginx is missing, see above")?;
    let nginx = PathBuf::from(nginx);
    let listen = fleet.gateway();
    let port = listen
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or_default();
    if taken(port) {
        return Err(format!(
            "the gateway's {listen} is taken by another program; --offset N moves all ports"
        ));
    }
    let run = run.display().to_string();
    let text = gateway::configuration(&listen, &run, |domain| fleet.addresses(domain, Kind::Api))?;
    folder.write("nginx.conf", &text)?;
    let file = folder.file("nginx.conf").display().to_string();
    // As root, nginx would give its work to a user who may not be able to enter this folder.
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let globals = if root {
        "daemon off; user root;"
    } else {
        "daemon off;"
    };
    folder.start(NGINX, &nginx, &["-c", &file, "-e", "stderr", "-g", globals], &[])?;
    let end = Instant::now() + Duration::from_secs(10);
    while !answers(port, "/openapi.json") {
        if folder.running(NGINX).is_none() || Instant::now() > end {
            return Err(format!("the gateway does not answer; {}", folder.tail(NGINX)));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn status(folder: &Folder) -> Result<(), String> {
    let Some(fleet) = asked(folder) else {
        println!("no fleet is up");
        return Ok(());
    };
    println!(
        "{:<18}{:>8}{:>8}{:>8}{:>8}{:>11}",
        "process", "pid", "port", "admin", "ready", "PSS"
    );
    let (mut all, mut known, mut down) = (0, true, 0);
    let text = |port: Option<u16>| port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    for member in fleet.members() {
        let pid = folder.running(&member.name);
        let memory = pid.and_then(pss);
        let ready = if pid.is_some() && answers(member.admin, "/readyz") {
            "yes"
        } else {
            "NO"
        };
        all += memory.unwrap_or(0);
        known &= memory.is_some();
        down += u32::from(pid.is_none());
        println!(
            "{:<18}{:>8}{:>8}{:>8}{ready:>8}{:>7.1} MiB",
            member.name,
            pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            text(member.port),
            member.admin,
            mebibytes(memory.unwrap_or(0)),
        );
    }
    println!(
        "{:<50}{:>7.1} MiB{}",
        "all",
        mebibytes(all),
        if known { "" } else { " of those that run" }
    );
    let nginx = folder
        .running(NGINX)
        .map_or_else(|| "down".to_owned(), |pid| format!("pid {pid}"));
    println!("nginx: {nginx}, http://{}", fleet.gateway());
    let engines = engines::running(SERVERS)?;
    for (name, variable) in engines::ALL {
        // Not the URL: it has the password.
        let address = engines
            .get(variable)
            .map(|url| url.rsplit('@').next().unwrap_or(url));
        println!("{name}: {}", address.unwrap_or("down"));
    }
    if down > 0 {
        println!("{down} of them do not run: cargo xtask fleet start, or up");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

fn down(folder: &Folder) -> Result<(), String> {
    let names = folder.started();
    // Those who are called go last.
    let (called, callers): (Vec<String>, Vec<String>) = names
        .iter()
        .filter(|name| *name != NGINX)
        .cloned()
        .partition(|name| name.contains("-rpc"));
    folder.stop(&[NGINX.to_owned()], GRACE);
    folder.stop(&callers, GRACE);
    folder.stop(&called, GRACE);
    let engines = folder.read(ENGINES).unwrap_or_default();
    if !engines.trim().is_empty() {
        let status = engines::infra(SERVERS)
            .arg("down")
            .args(engines.split_whitespace())
            .status()
            .map_err(|error| format!("deploy/infra/infra does not start: {error}"))?;
        if !status.success() {
            return Err("the engines are not down, see above".to_owned());
        }
    }
    for file in [ENGINES, ASKED, PROGRAM, ENVIRONMENT] {
        fs::remove_file(folder.file(file)).ok();
    }
    println!("fleet: down; data and secrets stay in {}", folder.0.display());
    Ok(())
}

/// Builds the program, and says where it is.
fn build(profile: &str) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    for name in crate::test::OURS {
        cargo.env_remove(name);
    }
    let output = cargo
        .args(["build", "--package", "homestay", "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err("the build failed".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let path = text
        .rsplit_once("\"executable\":\"")
        .and_then(|(_, rest)| rest.split('"').next());
    path.map(PathBuf::from)
        .ok_or_else(|| "cargo does not say where the program is".to_owned())
}

/// The secrets, made at the first time.
fn secrets(folder: &Folder) -> Result<Vec<(String, String)>, String> {
    let kept = folder.read("secrets").unwrap_or_default();
    let mut secrets = Vec::new();
    for name in plan::SECRETS {
        let value = kept
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
        let value = match value {
            Some(value) => value,
            None => random()?,
        };
        secrets.push((name.to_owned(), value));
    }
    let lines: Vec<String> = secrets
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    folder.write("secrets", &lines.concat())?;
    Ok(secrets)
}

fn random() -> Result<String, String> {
    let mut bytes = [0; 24];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes the fleet's database if it is not there; its URL for whoever may make roles and schemas.
fn make_database(folder: &Folder, admin_url: &str) -> Result<String, String> {
    let psql = PathBuf::from("psql");
    let make = format!(
        "SELECT 'CREATE DATABASE {0}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{0}') \\gexec\n",
        plan::DATABASE
    );
    folder.write("database.sql", &make)?;
    let file = folder.file("database.sql").display().to_string();
    let arguments = ["-X", "-v", "ON_ERROR_STOP=1", "-f", &file, admin_url];
    folder.run("database", &psql, &arguments, &[])?;
    plan::database(admin_url)
}
