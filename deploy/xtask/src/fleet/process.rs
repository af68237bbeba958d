//! Processes that outlive the task which starts them, known by a file each.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where a fleet keeps its files: `<name>.pid`, `<name>.log` and more.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, readable by its owner alone, whole or not at all.
    pub fn write(&self, name: &str, text: &str) -> Result<(), String> {
        use std::os::unix::fs::OpenOptionsExt;
        let (draft, path) = (self.file(&format!("{name}.new")), self.file(name));
        fs::remove_file(&draft).ok();
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    /// The text of a file, if it is there.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)).ok()
    }

    /// The pid of the process of this name, if it runs: another one with the same number was started at another time.
    pub fn running(&self, name: &str) -> Option<u32> {
        let text = self.read(&format!("{name}.pid"))?;
        let (pid, start) = text.trim().split_once(' ')?;
        let pid = pid.parse().ok()?;
        (start_time(pid)? == start).then_some(pid)
    }

    /// Names of all processes that were started and not taken down.
    pub fn started(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".pid")
                    .map(str::to_owned)
            })
            .collect();
        names.sort();
        names
    }

    /// Starts a process of its own session, writing to `<name>.log`.
    pub fn start(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<u32, String> {
        let child = self
            .prepared(name, Command::new("setsid").arg(program), environment)?
            .args(arguments)
            .spawn()
            .map_err(|error| failed(name, &error))?;
        let pid = child.id();
        let start = start_time(pid).ok_or_else(|| failed(name, &"it ended at once"))?;
        self.write(&format!("{name}.pid"), &format!("{pid} {start}"))?;
        Ok(pid)
    }

    /// In the fleet's folder, writing to `<name>.log`, and with nothing but these settings: HOMESTAY__ of this terminal is meant
    /// for something else.
    fn prepared<'c>(
        &self,
        name: &str,
        command: &'c mut Command,
        environment: &[(String, String)],
    ) -> Result<&'c mut Command, String> {
        let log = self.log(name).map_err(|error| failed(name, &error))?;
        let errors = log.try_clone().map_err(|error| failed(name, &error))?;
        Ok(clean(command)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors))
    }

    /// Runs a program to its end, writing to `<name>.log`; the end of that if it fails.
    pub fn run(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Result<(), String> {
        let status = self
            .prepared(name, &mut Command::new(program), environment)?
            .args(arguments)
            .status()
            .map_err(|error| failed(name, &error))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{name} failed; {}", self.tail(name)))
        }
    }

    /// The last lines of a log, for a sentence about what went wrong.
    pub fn tail(&self, name: &str) -> String {
        let path = self.file(&format!("{name}.log"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n  ");
        format!("the end of {}:\n  {last}", path.display())
    }

    fn log(&self, name: &str) -> std::io::Result<File> {
        let path = self.file(&format!("{name}.log"));
        OpenOptions::new().create(true).append(true).open(path)
    }

    /// Asks all of them to end, and ends those that have not within `grace`.
    pub fn stop(&self, names: &[String], grace: Duration) {
        let alive = || -> Vec<(String, u32)> {
            let running = names
                .iter()
                .filter_map(|name| Some((name.clone(), self.running(name)?)));
            running.collect()
        };
        let end = Instant::now() + grace;
        signal("-TERM", &alive());
        while !alive().is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        let late = alive();
        for (name, pid) in &late {
            eprintln!("fleet: {name} (pid {pid}) does not stop: killed");
        }
        signal("-KILL", &late);
        for name in names {
            fs::remove_file(self.file(&format!("{name}.pid"))).ok();
        }
    }
}

fn failed(name: &str, error: &dyn std::fmt::Display) -> String {
    format!("{name} cannot be started: {error}")
}

/// Without settings of another system, and without what cargo says of this program.
fn clean(command: &mut Command) -> &mut Command {
    for name in crate::names_of_variables() {
        if name.starts_with("HOMESTAY__") || name.starts_with("CARGO") {
            command.env_remove(name);
        }
    }
    command
}

fn signal(signal: &str, processes: &[(String, u32)]) {
    if !processes.is_empty() {
        // One that has ended meanwhile is no failure.
        // The shell's own: the program of that name is not on every machine.
        Command::new("bash")
            .args(["-c", "kill \"$@\"", "kill", signal])
            .args(processes.iter().map(|(_, pid)| pid.to_string()))
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

/// When a process was started, in ticks since the machine was; none if there is none, or nothing but its exit status is left.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    let state = rest.next()?;
    (!matches!(state, "Z" | "X")).then(|| rest.nth(18).map(str::to_owned))?
}

/// Memory of a process, with what it shares divided by the sharers, in KiB.
pub fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether something answers 200 to GET `path` on this port.
pub fn answers(port: u16, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Whether somebody listens on this port.
pub fn taken(port: u16) -> bool {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
