//! What the figures were taken on.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// A line about the machine, and the cost of a sync where the databases are.
///
/// # Errors
/// A sentence if `folder` cannot be written to.
pub fn describe(folder: &Path) -> Result<String, String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&model, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_gb = field(&memory, "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or(0.0, |kb| kb / 1024.0 / 1024.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let sync = sync_cost(folder)?;
    Ok(format!(
        "machine: {cores} cores ({model}), {memory_gb:.0} GB, Linux {}; load average before {}; a sync takes {:.0} µs",
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
        sync.as_secs_f64() * 1e6
    ))
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

/// The middle of many writes of a page with fdatasync, as a write-ahead log does.
fn sync_cost(folder: &Path) -> Result<Duration, String> {
    let path = folder.join("sync");
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .map_err(fail)?;
    let page = [7_u8; 8192];
    file.write_all(&page).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    let mut times = Vec::with_capacity(200);
    for _ in 0..200 {
        let begin = Instant::now();
        file.seek(SeekFrom::Start(0)).map_err(fail)?;
        file.write_all(&page).map_err(fail)?;
        file.sync_data().map_err(fail)?;
        times.push(begin.elapsed());
    }
    fs::remove_file(&path).map_err(fail)?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
