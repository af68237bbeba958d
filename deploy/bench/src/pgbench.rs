//! What the same statements cost without us: pgbench on the same server, with the same transactions, clients and fsync.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::output;
use crate::store::Store;

/// Runs a script for so long; a line with its rate and what Postgres used.
///
/// # Errors
/// Those of pgbench, and of a store that is not Postgres.
pub fn run(
    store: &Store,
    script: &Path,
    clients: usize,
    houses: usize,
    time: Duration,
) -> Result<String, String> {
    let Store::Postgres { url, .. } = store else {
        return Err("pgbench needs Postgres".to_owned());
    };
    let before = store.cpu()?;
    let text = output(
        Command::new("pgbench")
            .args(["-n", "-M", "prepared", "-j", "1", "-c", &clients.to_string()])
            .args([
                "-T",
                &time.as_secs().to_string(),
                "-D",
                &format!("houses={houses}"),
                "-f",
            ])
            .arg(script)
            .arg(url)
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan -c jit=off"),
    )?;
    let used = store.cpu()? - before;
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches([' ', '=', ':']).split([' ', '/']).next())
            .and_then(|number| number.parse::<f64>().ok())
            .ok_or_else(|| format!("pgbench has not said {name:?}: {text}"))
    };
    let done = number("number of transactions actually processed")?;
    Ok(format!(
        "beside it, the statements of create order in pgbench: {:.0} per s, {:.2} ms on average, {:.3} CPU s of Postgres per 1000",
        number("tps")?,
        number("latency average")?,
        used / done * 1000.0
    ))
}
