use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use futures::future::BoxFuture;
use homestay_telemetry::metrics;
use prometheus::IntGaugeVec;
use tokio::task::{Id, JoinSet};

use crate::{Health, Stop, Tasks};

static UP: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    metrics::gauge(
        "service_up",
        "Services of this process: 1 while they run, 0 once they have ended.",
        &["service"],
    )
});

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Service = Box<dyn FnOnce(Stop) -> BoxFuture<'static, Result<(), BoxError>> + Send>;

/// Why a group ended other than by a signal and in time.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// A service returned an error.
    #[error("service {name} failed: {cause}")]
    Failed {
        /// The service.
        name: String,
        /// What it returned.
        #[source]
        cause: BoxError,
    },
    /// A service panicked.
    #[error("service {0} panicked")]
    Panicked(String),
    /// A service returned although nobody had told it to stop.
    #[error("service {0} ended by itself")]
    Early(String),
    /// Services that had not stopped when the grace period was over.
    #[error("did not stop within the grace period: {}", .0.join(", "))]
    Stuck(Vec<String>),
}

/// The services of one process, by name.
#[derive(Default)]
pub struct ServiceGroup {
    services: Vec<(String, Service)>,
}

impl std::fmt::Debug for ServiceGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl ServiceGroup {
    /// Adds a service: a function from a stop token to a future that ends soon after the token is cancelled.
    pub fn add<F, Fut>(&mut self, name: impl Into<String>, service: F)
    where
        F: FnOnce(Stop) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.services
            .push((name.into(), Box::new(move |stop| Box::pin(service(stop)))));
    }

    /// Names of the services, in the order they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|(name, _)| name.as_str())
    }

    /// Runs all services until `signal` is ready or the first of them ends, then stops all: readiness turns false, the
    /// token is cancelled, and services and `tasks` have `grace` to finish.
    ///
    /// # Errors
    /// The first failure, panic or early return; else [`GroupError::Stuck`] naming who did not stop in time.
    pub async fn run(
        self,
        signal: impl Future<Output = ()>,
        grace: Duration,
        health: &Health,
        tasks: &Tasks,
    ) -> Result<(), GroupError> {
        let names: Vec<&str> = self.names().collect();
        tracing::info!(services = %names.join(", "), "starting");
        let stop = Stop::new();
        let mut running = Running::default();
        for (name, service) in self.services {
            UP.with_label_values(&[name.as_str()]).set(1);
            let handle = running.set.spawn(service(stop.clone()));
            running.names.insert(handle.id(), name);
        }

        let mut outcome = None;
        tokio::select! {
            () = signal => tracing::info!("stopping"),
            Some(ended) = running.next() => {
                let error = ended.unwrap_or_else(GroupError::Early);
                tracing::error!(%error, "stopping");
                outcome = Some(error);
            }
        }
        health.stopping();
        stop.cancel();
        let finish = async {
            while let Some(ended) = running.next().await {
                if let Ok(error) = ended {
                    outcome.get_or_insert(error);
                }
            }
            tasks.finished().await;
        };
        if tokio::time::timeout(grace, finish).await.is_err() {
            let mut stuck: Vec<String> = running.names.into_values().collect();
            if stuck.is_empty() {
                stuck.push("calls in hand".to_owned());
            }
            stuck.sort();
            outcome.get_or_insert(GroupError::Stuck(stuck));
        }
        outcome.map_or(Ok(()), Err)
    }
}

#[derive(Default)]
struct Running {
    set: JoinSet<Result<(), BoxError>>,
    names: HashMap<Id, String>,
}

impl Running {
    /// Waits for the next service to end: its failure, or its name if it ended well. `None` when all have ended.
    async fn next(&mut self) -> Option<Result<GroupError, String>> {
        let ended = self.set.join_next_with_id().await?;
        let id = ended
            .as_ref()
            .map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        let name = self.names.remove(&id).unwrap_or_default();
        UP.with_label_values(&[name.as_str()]).set(0);
        Some(match ended {
            Ok((_, Ok(()))) => Err(name),
            Ok((_, Err(cause))) => Ok(GroupError::Failed { name, cause }),
            Err(_) => Ok(GroupError::Panicked(name)),
        })
    }
}

/// Ready at the first SIGINT or SIGTERM.
pub async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut term) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    const GRACE: Duration = Duration::from_secs(5);

    async fn run(group: ServiceGroup, signal: impl Future<Output = ()>) -> Result<(), GroupError> {
        group.run(signal, GRACE, &Health::default(), &Tasks::new()).await
    }

    fn obedient(group: &mut ServiceGroup) {
        group.add("obedient", |stop| async move {
            stop.cancelled().await;
            Ok(())
        });
    }

    #[tokio::test]
    async fn a_signal_stops_all_and_turns_readiness_off() {
        let mut group = ServiceGroup::default();
        obedient(&mut group);
        let health = Health::default();
        health.started();
        group.run(async {}, GRACE, &health, &Tasks::new()).await.unwrap();
        assert_eq!(health.unready().await, ["stopping"]);
    }

    #[tokio::test]
    async fn the_first_failure_panic_or_early_end_stops_the_others_and_is_named() {
        let mut failing = ServiceGroup::default();
        obedient(&mut failing);
        failing.add("broken", |_| async { Err("no disk".into()) });
        assert_eq!(
            run(failing, pending()).await.unwrap_err().to_string(),
            "service broken failed: no disk"
        );

        let mut panicking = ServiceGroup::default();
        obedient(&mut panicking);
        panicking.add("wild", |_| async { panic!("boom") });
        assert_eq!(
            run(panicking, pending()).await.unwrap_err().to_string(),
            "service wild panicked"
        );

        let mut early = ServiceGroup::default();
        obedient(&mut early);
        early.add("lazy", |_| async { Ok(()) });
        assert_eq!(
            run(early, pending()).await.unwrap_err().to_string(),
            "service lazy ended by itself"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_stop_in_time_is_named() {
        let mut group = ServiceGroup::default();
        obedient(&mut group);
        group.add("deaf", |_| pending());
        assert_eq!(
            run(group, async {}).await.unwrap_err().to_string(),
            "did not stop within the grace period: deaf"
        );
    }
}
