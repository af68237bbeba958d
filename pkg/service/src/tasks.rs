use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Tasks that run to their end even when nobody waits for them any more: a client that hangs up ends the waiting, not the
/// work. The process waits for them before it ends ([`Tasks::finished`]).
#[derive(Debug, Clone, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` on a task; the handle gives its result, dropping the handle changes nothing.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(work)
    }

    /// Runs `work` on a task that the end of the process does not wait for, such as a loop that ends with its queue.
    pub fn detach<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "this is the place others are sent to")]
        drop(tokio::spawn(work));
    }

    /// Waits until every spawned task has ended.
    pub async fn finished(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
