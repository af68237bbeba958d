//! Load on a running system from outside, over HTTP alone, and what it costs: rate and latency by route, CPU of our
//! processes and of Postgres, memory, and what a whole paid booking takes.

mod client;
mod embedded;
mod engines;
mod fleet;
mod load;
mod machine;
mod metrics;
mod pgbench;
mod process;
mod report;
mod routes;
mod store;
mod system;
mod usage;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::engines::Engines;
use crate::fleet::{Layout, Plan};
use crate::load::Bound;
use crate::report::{Row, Targets};
use crate::routes::{ROUTES, Route};
use crate::system::{System, Used};
use crate::world::World;

/// Load on a running system, and what it costs.
#[derive(Parser)]
struct Cli {
    /// The program under load.
    #[arg(long)]
    program: PathBuf,
    /// Folder of this run; made, and emptied before each setting.
    #[arg(long)]
    folder: PathBuf,
    /// Connections that ask at the same time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds a route, after one second that does not count.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    #[arg(long, default_value_t = 2000)]
    houses: usize,
    #[arg(long, default_value_t = 32)]
    guests: usize,
    /// Settings to measure, with commas between: embedded, fleet, joined (the three of a booking in one process).
    #[arg(long, value_delimiter = ',', default_value = "embedded,fleet,joined")]
    settings: Vec<String>,
    /// The script that brings up Postgres, Redis and Kafka.
    #[arg(long)]
    infra: PathBuf,
    /// Script of the statements of a booking for pgbench.
    #[arg(long)]
    pgbench: Option<PathBuf>,
    /// Added to every port of the fleet.
    #[arg(long, default_value_t = 9000)]
    port_offset: u16,
    /// Only this route, such as create: for profiles.
    #[arg(long)]
    route: Option<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread");
    let local = tokio::task::LocalSet::new();
    match local.block_on(&runtime, run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", cli.folder.display());
    std::fs::create_dir_all(&cli.folder).map_err(fail)?;
    println!("{}", machine::describe(&cli.folder)?);
    println!(
        "settings: {} connections, {} s a route, {} houses, {} guests, throttle off, log level warn",
        cli.connections, cli.seconds, cli.houses, cli.guests
    );
    let mut engines = None;
    for setting in &cli.settings {
        let folder = cli.folder.join(setting);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(fail)?;
        }
        let layout = match setting.as_str() {
            "embedded" => {
                let system = embedded::start(&cli.program, &folder, cli.houses).await?;
                measure(cli, &system, report::embedded, None).await?;
                continue;
            }
            "fleet" => Layout::Apart,
            "joined" => Layout::Joined,
            other => {
                return Err(format!(
                    "no setting is called {other:?}; there are embedded, fleet, joined"
                ));
            }
        };
        if engines.is_none() {
            let up = Engines::up(&cli.infra, &cli.folder.join("infra"))?;
            println!("\n{}", up.describe()?);
            engines = Some(up);
        }
        let Some(engines) = &engines else { continue };
        let plan = Plan {
            program: &cli.program,
            folder: &folder,
            houses: cli.houses,
            port_offset: cli.port_offset,
            layout,
        };
        let system = fleet::start(&plan, engines).await?;
        match layout {
            Layout::Apart => measure(cli, &system, report::fleet, Some(report::MEMORY_MB)).await?,
            Layout::Joined => measure(cli, &system, report::joined, None).await?,
        }
        // On the same tables, with our processes gone.
        let store = system.store.clone();
        drop(system);
        if let Some(script) = cli.pgbench.as_deref().filter(|_| cli.route.is_none()) {
            let time = Duration::from_secs(cli.seconds);
            println!(
                "{}",
                pgbench::run(&store, script, cli.connections, cli.houses, time)?
            );
        }
    }
    Ok(())
}

/// All routes on a system.
async fn measure(
    cli: &Cli,
    system: &System,
    targets: Targets,
    memory: Option<(f64, f64)>,
) -> Result<(), String> {
    let world = Rc::new(World::new(system.addresses, cli.houses, cli.guests, now()).await?);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle_mb = usage::pss_mb(&system.pids())?;
    // Orders to read: more than a page for every guest.
    let orders = 20 * cli.guests as u64;
    let filled = load::run(&world, Route::Create, cli.connections, Bound::requests(orders)).await;
    if filled.done < orders / 2 {
        let why = filled.failures.keys().next().map_or("", String::as_str);
        return Err(format!(
            "{} of the first {orders} bookings failed: {why}",
            filled.failed()
        ));
    }
    system.drained().await?;
    print!("{}", report::heading(&system.name));
    for route in ROUTES {
        if cli
            .route
            .as_deref()
            .is_some_and(|only| !route.name().contains(only))
        {
            continue;
        }
        let row = one(cli, system, &world, route).await?;
        print!("{}", row.line(targets(route)));
        for (sentence, n) in row.outcome.failures.iter().take(3) {
            println!("    {n} × {sentence}");
        }
    }
    if cli.route.is_none() {
        println!("{}", booking(cli, system, &world).await?);
    }
    print!(
        "{}",
        report::memory(idle_mb, usage::pss_mb(&system.pids())?, memory)
    );
    Ok(())
}

/// One route: a second that does not count, the load, and the wait until nothing is left to do.
async fn one(cli: &Cli, system: &System, world: &Rc<World>, route: Route) -> Result<Row, String> {
    load::run(world, route, cli.connections, Bound::time(Duration::from_secs(1))).await;
    system.drained().await?;
    let begin = system.used()?;
    let bound = Bound::time(Duration::from_secs(cli.seconds));
    let outcome = load::run(world, route, cli.connections, bound).await;
    let end = system.used()?;
    system.drained().await?;
    let drained = system.used()?;
    let since = |used: Used| Used {
        ours: used.ours - begin.ours,
        database: used.database - begin.database,
    };
    Ok(Row {
        route,
        outcome,
        load: since(end),
        drained: since(drained),
    })
}

/// Bookings that are counted.
const COUNTED: u64 = 200;
/// Postgres' backends report what they have counted this late when they are idle.
const REPORTED: Duration = Duration::from_secs(11);

/// What a paid booking takes: calls between domains, commits, syncs and statements, all until nothing is left to do. What the
/// idle system does in the same time is taken off.
async fn booking(cli: &Cli, system: &System, world: &Rc<World>) -> Result<String, String> {
    let wait = if system.counts().await?.database.is_some() {
        REPORTED
    } else {
        Duration::from_secs(3)
    };
    tokio::time::sleep(wait).await;
    let begin = Instant::now();
    let idle = system.counts().await?;
    tokio::time::sleep(wait).await;
    let (before, idle_s) = (system.counts().await?, begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let outcome = load::run(world, Route::Unwatched, cli.connections, Bound::requests(COUNTED)).await;
    system.drained().await?;
    tokio::time::sleep(wait).await;
    let (after, load_s) = (system.counts().await?, begin.elapsed().as_secs_f64());
    let each = |idle: f64, before: f64, after: f64| {
        (after - before - (before - idle) / idle_s * load_s) / load::count(outcome.done)
    };
    let mut text = format!(
        "a paid booking ({} of them, {} failed): {:.1} calls between domains",
        outcome.done,
        outcome.failed(),
        each(idle.hops, before.hops, after.hops)
    );
    if let (Some(idle), Some(before), Some(after)) = (idle.database, before.database, after.database) {
        let commits = each(idle.commits, before.commits, after.commits);
        let syncs = each(idle.wal_syncs, before.wal_syncs, after.wal_syncs);
        text.push_str(&format!(", {commits:.1} commits, {syncs:.1} syncs of the log"));
        if let (Some(idle), Some(before), Some(after)) =
            (idle.statements, before.statements, after.statements)
        {
            let statements = each(idle, before, after);
            text.push_str(&format!(", {statements:.1} round trips to Postgres"));
        }
    }
    Ok(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client of the system on the wall clock, not a part of it"
)]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
