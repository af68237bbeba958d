//! Where systems keep their data, and the audit of it.

use std::path::Path;
use std::sync::Arc;

use super::fleet::{Fleet, Ground};
use super::{Mode, Program, Start, USUAL, command};

/// Where a system keeps its data: it may be killed and started again there.
pub enum Place {
    Folder(tempfile::TempDir),
    Servers(Arc<Fleet>),
}

impl Place {
    /// Of one test alone.
    pub async fn new(mode: Mode, start: Start) -> Self {
        match mode {
            Mode::Embedded => Self::Folder(tempfile::tempdir().expect("a folder")),
            Mode::Distributed => Self::Servers(Arc::new(Fleet::start(start).await)),
        }
    }

    /// Of one test alone, with these settings besides, and the logs in a file: [`Place::start_with`] wants them too.
    pub async fn with(
        mode: Mode,
        start: Start,
        settings: &[(&'static str, &str)],
        log: Option<&Path>,
    ) -> Self {
        match mode {
            Mode::Embedded => Self::Folder(tempfile::tempdir().expect("a folder")),
            Mode::Distributed => {
                let ground = Ground::with(start, settings, log).await;
                Self::Servers(Arc::new(Fleet::on(ground).await))
            }
        }
    }

    /// Starts what does not run, and waits until it is ready.
    pub async fn start(&self, start: Start) -> Program {
        self.start_with(start, &[], None).await
    }

    /// As [`Place::start`], with what [`Place::with`] was given.
    pub async fn start_with(
        &self,
        start: Start,
        settings: &[(&'static str, &str)],
        log: Option<&Path>,
    ) -> Program {
        match self {
            Self::Folder(folder) => {
                let mut command = command(folder.path(), start);
                command.envs(settings.iter().copied());
                Program::run(folder.path(), start, command, log).await
            }
            Self::Servers(fleet) => {
                fleet.revive().await;
                Program::of(fleet.clone())
            }
        }
    }

    /// `homestay audit`, which must find nothing.
    pub fn audit(&self) {
        match self {
            Self::Folder(folder) => audit(folder.path()),
            Self::Servers(fleet) => fleet.ground.run(&AUDIT),
        }
    }
}

/// What is under way on a busy machine is done by then.
pub const AUDIT: [&str; 3] = ["audit", "--settle", "20s"];

/// `homestay audit` of a data folder, which must find nothing.
pub fn audit(data: &Path) {
    let mut command = command(data, USUAL).into_std();
    let output = command.args(AUDIT).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
