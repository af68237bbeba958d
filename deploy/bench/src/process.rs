//! Processes of the system under load.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running process with its output in a file. Told to stop, and then killed, when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its output in `log`.
    ///
    /// # Errors
    /// A sentence why it does not start.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let open = || File::create(log).map_err(|error| format!("{}: {error}", log.display()));
        let file = open()?;
        let copy = file.try_clone().map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", command.get_program().display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What follows `prefix` on a line of the output, once it is there.
    ///
    /// # Errors
    /// A sentence with the output's end if the process has ended or does not say it.
    pub async fn says(&mut self, prefix: &str) -> Result<String, String> {
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(&self.log).map_err(|error| error.to_string())?;
            if let Some(rest) = text.lines().find_map(|line| line.strip_prefix(prefix)) {
                return Ok(rest.trim().to_owned());
            }
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || begin.elapsed() > PATIENCE {
                let what = if ended { "has ended" } else { "does not get ready" };
                let last: Vec<&str> = text.lines().rev().take(5).collect();
                return Err(format!(
                    "a process {what}; see {}: {}",
                    self.log.display(),
                    last.join(" / ")
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // A process that has ended already is no failure here.
        let _ = Command::new("kill")
            .args(["-TERM", &pid])
            .stderr(Stdio::null())
            .status();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(15) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end; its standard output.
///
/// # Errors
/// A sentence with what it said on its error output.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!(
        "{name} failed: {}{}",
        String::from_utf8_lossy(&done.stderr).trim(),
        String::from_utf8_lossy(&done.stdout).trim()
    ))
}
