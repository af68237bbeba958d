//! homestay: the back end of a homestay booking business. This binary is configuration and wiring; the rules are in the
//! domain crates.

mod demo;
mod embedded;
mod folder;
mod openapi;
mod sample;
mod secrets;
mod settings;
mod system;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::Settings;

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
    /// Fills a stopped system's data folder with sample houses; repeating it changes nothing.
    Seed {
        /// How many houses there are to be besides those of the demo.
        #[arg(long, default_value_t = 0, value_name = "N")]
        houses: usize,
    },
    /// Prints the settings as they are read, without secrets.
    CheckConfig,
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
        Some(Command::CheckConfig) => {
            secrets::check(&settings)?;
            print!("{}", homestay_config::redacted_yaml(&settings));
            Ok(())
        }
        Some(Command::Seed { houses }) => {
            start_logs(&settings)?;
            runtime(settings.worker_threads)?.block_on(sample::seed(&settings, *houses))
        }
        None => {
            targets::check(&cli.targets)?;
            start_logs(&settings)?;
            runtime(settings.worker_threads)?.block_on(embedded::run(&settings))
        }
        Some(Command::Demo { .. }) => unreachable!("handled above"),
    }
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
