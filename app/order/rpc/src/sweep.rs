//! Finds what is overdue in the table itself, should an event or a job ever be lost or late.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use homestay_error::Result;
use homestay_rpc::deadline;

use crate::OrderService;
use crate::{entries, store};

/// Orders advanced at the same time.
const CONCURRENCY: usize = 8;
/// With less than this left of its time a sweep begins no further order: the next one finds it.
const ENOUGH: Duration = Duration::from_millis(300);
/// How long after an order was paid its telling is asked for again, and how long it is looked for.
const TELLING: (i64, i64) = (10 * 60_000, 70 * 60_000);

impl OrderService {
    /// Advances a batch of overdue orders; how many could be. Errors are logged: the others must not wait.
    pub(crate) async fn sweep(&self) -> Result<i64> {
        let now_ms = self.clock.now_ms();
        if let Err(later) = self.tell_again(now_ms).await {
            tracing::warn!(error = %later.chain(), "who was not told cannot be looked for");
        }
        let overdue = store::orders::overdue(self.db.read(), now_ms).await?;
        if overdue.is_empty() {
            return Ok(0);
        }
        let (advanced, looked_at) = stream::iter(overdue)
            .map(|sn| async move {
                if deadline::left().is_some_and(|left| left < ENOUGH) {
                    return None;
                }
                let done = match self.advance(sn.as_str()).await {
                    Ok(_) => 1,
                    Err(later) => {
                        tracing::warn!(order.sn = %sn, error = %later.chain(), "an overdue order could not be advanced");
                        0
                    }
                };
                Some((done, String::from(sn)))
            })
            .buffer_unordered(CONCURRENCY)
            .fold((0, Vec::new()), |(mut sum, mut sns), one| async move {
                if let Some((done, sn)) = one {
                    sum += done;
                    sns.push(sn);
                }
                (sum, sns)
            })
            .await;
        // What could not be brought to its end lets the others through; who waits for a refund, for a minute.
        if !looked_at.is_empty() {
            self.db
                .write(move |tx| {
                    Box::pin(async move { store::changes::looked_at(tx, &looked_at, now_ms).await })
                })
                .await?;
        }
        Ok(advanced)
    }

    /// Has those told who are not known to be after ten minutes. The notes do not wait for the disk, and a broker on another
    /// server may keep the end of a job whose note was lost with ours.
    async fn tell_again(&self, now_ms: i64) -> Result<()> {
        let untold = store::orders::untold(self.db.read(), now_ms - TELLING.1, now_ms - TELLING.0).await?;
        let mut entries = Vec::new();
        for (sn, guest, host) in &untold {
            for (told, recipient) in [(guest, "guest"), (host, "host")] {
                if !told {
                    entries.push(entries::notify_again(sn, recipient));
                }
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let ids = self.ids.clone();
        self.db
            .write(move |tx| Box::pin(async move { homestay_outbox::push(tx, &ids, entries).await }))
            .await
    }
}
