use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Whether the process has started, is ready, and why not. Readiness follows only what the process cannot work without.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    started: bool,
    /// Why not yet.
    waiting: String,
    stopping: bool,
    checks: Vec<(String, Check)>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Health")
            .field("started", &state.started)
            .field("stopping", &state.stopping)
            .finish_non_exhaustive()
    }
}

impl Health {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds something the process cannot work without, such as its own database.
    pub fn require<F, Fut>(&self, name: impl Into<String>, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.lock()
            .checks
            .push((name.into(), Arc::new(move || Box::pin(check()))));
    }

    /// What the start waits for, such as a server that does not answer; shown by `/startupz` and `/readyz`.
    pub fn waiting(&self, reason: &str) {
        reason.clone_into(&mut self.lock().waiting);
    }

    /// The start does not wait for that any more.
    pub fn waits_no_more(&self, reason: &str) {
        let mut state = self.lock();
        if state.waiting == reason {
            state.waiting.clear();
        }
    }

    /// What the start waits for; empty if nothing, or if it has started.
    #[must_use]
    pub fn waits_for(&self) -> String {
        let state = self.lock();
        if state.started {
            return String::new();
        }
        state.waiting.clone()
    }

    /// Everything is bound and connected.
    pub fn started(&self) {
        self.lock().started = true;
    }

    /// From now on not ready: the first thing that happens at a stop.
    pub fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// Whether [`Health::started`] was called.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.lock().started
    }

    /// Reasons for not being ready, empty when ready. Each check has a second.
    pub async fn unready(&self) -> Vec<String> {
        let (mut reasons, checks) = {
            let state = self.lock();
            let mut reasons = Vec::new();
            if !state.started {
                reasons.push(match state.waiting.as_str() {
                    "" => "starting".to_owned(),
                    reason => format!("starting: {reason}"),
                });
            }
            if state.stopping {
                reasons.push("stopping".to_owned());
            }
            (reasons, state.checks.clone())
        };
        let outcomes = checks.iter().map(|(name, check)| async move {
            match tokio::time::timeout(Duration::from_secs(1), check()).await {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(format!("{name}: {why}")),
                Err(_) => Some(format!("{name}: no answer within a second")),
            }
        });
        reasons.extend(join_all(outcomes).await.into_iter().flatten());
        reasons
    }
}
