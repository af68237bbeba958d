//! homestay: the back end of a homestay booking business. This binary is configuration and wiring; the rules are in the
//! domain crates.

mod demo;
mod distributed;
mod embedded;
mod folder;
mod migrate;
mod openapi;
mod sample;
mod secrets;
mod settings;
mod system;
mod targets;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::{Mode, Settings};
use crate::targets::Targets;

/// Fewer page faults and less CPU than the system's allocator under this load (measured: 3 to 13 %).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The back end of a homestay booking business.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Targets to run, such as order-api order-rpc; all of them if none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// YAML file with settings; the environment (HOMESTAY__SECTION__KEY) goes before it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a guest's day against a running system and tells what happens.
    Demo {
        /// Address of the system.
        #[arg(long, default_value = "http://127.0.0.1:8888", value_name = "URL")]
        base: String,
    },
    /// Fills in sample houses and accounts; repeating it changes nothing. Embedded: the data folder of a stopped system;
    /// distributed: the running one, through its endpoints.
    Seed {
        /// How many houses there are to be besides those of the demo.
        #[arg(long, default_value_t = 0, value_name = "N")]
        houses: usize,
    },
    /// Accounts and their roles. Embedded: in the data folder of a stopped system; distributed: through usercenter-rpc.
    User {
        #[command(subcommand)]
        command: user::Command,
    },
    /// Brings the schemas on Postgres up to date, and makes the Kafka topics; repeating it changes nothing.
    Migrate {
        /// Domain to migrate, with the topics of its events; all of them if none is named.
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        /// URL of somebody who may make roles and schemas, in the database that the domains use: makes what is missing of
        /// them first, with the passwords of the URLs in databases.
        #[arg(long, value_name = "URL")]
        admin_url: Option<String>,
    },
    /// Prints the settings as they are read, without secrets; a mistake, or what a target lacks, is named.
    CheckConfig {
        /// Targets to check them for; all if none is named.
        #[arg(value_name = "TARGET")]
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("homestay: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    if let (Some(_), Some(target)) = (&cli.command, cli.targets.first()) {
        return Err(format!(
            "{target:?} and a command do not go together: a command runs no targets"
        ));
    }
    if let Some(Command::Demo { base }) = &cli.command {
        // Only HTTP: the settings of the system it plays with are not its business.
        return runtime(1)?.block_on(demo::run(base));
    }
    let settings = settings::load(cli.config.as_deref()).map_err(|error| error.to_string())?;
    match &cli.command {
        Some(Command::CheckConfig { targets }) => {
            let targets = Targets::named(targets, settings.mode)?;
            check(&settings, &targets)?;
            print!("{}", homestay_config::redacted_yaml(&settings));
            Ok(())
        }
        Some(Command::Migrate { domain, admin_url }) => {
            start_logs(&settings)?;
            runtime(1)?.block_on(migrate::run(&settings, domain.as_deref(), admin_url.as_deref()))
        }
        Some(Command::Seed { houses }) => {
            start_logs(&settings)?;
            runtime(settings.worker_threads)?.block_on(sample::seed(&settings, *houses))
        }
        Some(Command::User { command }) => {
            start_logs(&settings)?;
            runtime(1)?.block_on(user::run(&settings, command))
        }
        None => {
            let targets = Targets::named(&cli.targets, settings.mode)?;
            check(&settings, &targets)?;
            start_logs(&settings)?;
            let threads = match (settings.worker_threads, targets.count()) {
                // One target is one of many processes on its machine (more threads cost more CPU a request, measured).
                (0, 1) => 1,
                (threads, _) => threads,
            };
            match settings.mode {
                Mode::Embedded => runtime(threads)?.block_on(embedded::run(&settings)),
                Mode::Distributed => runtime(threads)?.block_on(distributed::run(&settings, &targets)),
            }
        }
        Some(Command::Demo { .. }) => unreachable!("handled above"),
    }
}

fn check(settings: &Settings, targets: &Targets) -> Result<(), String> {
    secrets::check(settings)?;
    settings::check_needs(settings, targets).map_err(|error| error.to_string())
}

fn start_logs(settings: &Settings) -> Result<(), String> {
    homestay_telemetry::logs::init(settings.log.format, &settings.log.level)
        .map_err(|error| format!("log.level: {error}"))
}

/// A runtime with `threads` workers; 0 means one a core, at most 2 (more cost more CPU a request, measured).
fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores.min(2) } else { threads };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| format!("no threads: {error}"))
}
