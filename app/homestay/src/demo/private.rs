use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A system of our own on a temporary folder and free ports. It ends, and its folder goes, with this value.
pub struct PrivateSystem {
    pub base: String,
    child: Child,
    _folder: tempfile::TempDir,
}

/// Longest start, sample data included; the first one of a debug build is the slowest.
const START: Duration = Duration::from_secs(60);

/// What differs from the defaults.
const SETTINGS: &[(&str, &str)] = &[
    ("HOMESTAY__DEMO", "true"),
    ("HOMESTAY__SAMPLE_DATA", "true"),
    ("HOMESTAY__GATEWAY__LISTEN", "127.0.0.1:0"),
    ("HOMESTAY__ADMIN__LISTEN", "127.0.0.1:0"),
    ("HOMESTAY__ORDER__CLOSE_AFTER", "3s"),
    ("HOMESTAY__AUTH__REGISTER_PER_MINUTE", "0"),
    ("HOMESTAY__LOG__LEVEL", "warn"),
];

impl PrivateSystem {
    /// Starts this very program with unpaid bookings closing after 3 seconds.
    pub async fn start() -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
        let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let mut command = Command::new(program);
        // Settings meant for another system, such as where its notifications go, are not for this one.
        for (name, _) in homestay_config::environment() {
            command.env_remove(name);
        }
        let mut child = command
            .envs(SETTINGS.iter().copied())
            .env("HOMESTAY__DATA_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("a private system cannot be started: {error}"))?;
        let output = child.stdout.take().ok_or("the private system has no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut base = None;
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("homestay is ready at ") {
                    base = Some(url.to_owned());
                }
                if line == crate::sample::IN_PLACE {
                    return base.ok_or("the private system did not say where it is");
                }
            }
            Err("the private system ended before it was ready")
        };
        let base = tokio::time::timeout(START, ready)
            .await
            .map_err(|_| "the private system took too long to start")??;
        // What else it prints goes nowhere, but its pipe must not fill.
        #[expect(
            clippy::disallowed_methods,
            reason = "a pipe is drained beside the demo; there is no group to run it in"
        )]
        drop(tokio::spawn(async move {
            while let Ok(Some(_)) = lines.next_line().await {}
        }));
        Ok(Self {
            base,
            child,
            _folder: folder,
        })
    }

    /// Ends it. Dropping it does so too, without waiting.
    pub async fn stop(mut self) {
        let _ = self.child.kill().await;
    }
}
