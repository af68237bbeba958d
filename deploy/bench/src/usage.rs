//! What processes have used, from `/proc`.

use std::fs;

/// Kernel ticks a second: the same on every Linux that Rust runs on (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// CPU seconds of all threads of the processes, ended ones included.
///
/// # Errors
/// A sentence naming a process that is gone.
pub fn cpu(pids: &[u32]) -> Result<f64, String> {
    let mut ticks = 0;
    for pid in pids {
        let stat = Stat::of(*pid)?;
        ticks += stat.own;
    }
    Ok(seconds(ticks))
}

/// CPU seconds of a process and of all that it has started, those that have ended and were waited for included.
///
/// # Errors
/// A sentence naming the process if it is gone.
pub fn cpu_of_tree(root: u32) -> Result<f64, String> {
    let stat = Stat::of(root)?;
    let mut ticks = stat.own + stat.waited_for;
    for entry in fs::read_dir("/proc")
        .map_err(|error| format!("/proc: {error}"))?
        .flatten()
    {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ends just now is counted with its parent the next time.
        if let Ok(child) = Stat::of(pid)
            && child.parent == root
        {
            ticks += child.own + child.waited_for;
        }
    }
    Ok(seconds(ticks))
}

/// Proportional set size of the processes in MB: pages shared by several are divided among them.
///
/// # Errors
/// A sentence naming a process that is gone.
pub fn pss_mb(pids: &[u32]) -> Result<f64, String> {
    let mut kb = 0.0;
    for pid in pids {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        kb += text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<f64>().ok())
            .ok_or_else(|| format!("{path} has no Pss"))?;
    }
    Ok(kb / 1000.0 * 1.024)
}

fn seconds(ticks: u32) -> f64 {
    f64::from(ticks) / TICKS
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: u32,
    waited_for: u32,
}

impl Stat {
    fn of(pid: u32) -> Result<Self, String> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).map_err(|error| format!("process {pid} is gone: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("{path} is not understood"))
    }

    /// `man 5 proc`: the name, in parentheses, may hold anything; after it come state (3), parent (4) … utime (14), stime,
    /// cutime, cstime.
    fn parse(text: &str) -> Option<Self> {
        let rest = &text[text.rfind(')')? + 1..];
        let mut fields = rest.split_whitespace().skip(1);
        let parent = fields.next()?.parse().ok()?;
        let mut times = fields.skip(9).map(str::parse::<u32>);
        let mut time = || times.next()?.ok();
        Some(Self {
            parent,
            own: time()? + time()?,
            waited_for: time()? + time()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_parentheses() {
        let line = "7 (a b) c) S 5 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 9 0 1 2 3";

        let expected = Stat {
            parent: 5,
            own: 120,
            waited_for: 7,
        };
        assert_eq!(Stat::parse(line), Some(expected));
    }

    #[test]
    fn this_process_has_memory_and_a_parent() {
        let me = std::process::id();

        assert!(pss_mb(&[me]).expect("readable") > 0.1);
        assert!(cpu(&[me]).expect("readable") < 3600.0);
    }
}
