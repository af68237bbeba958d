use homestay_error::Result;

use crate::{MqueueService, metrics, store, views};

/// Batches of one sweep: what is left waits for the next.
const BATCHES: usize = 50;

/// Removes done jobs past their retention, buries what nobody claims any more, and refreshes the gauges.
pub(crate) async fn sweep(mqueue: &MqueueService) -> Result<()> {
    let now_ms = mqueue.clock.now_ms();
    let buried = mqueue
        .db
        .write(move |tx| Box::pin(async move { store::bury(tx, now_ms).await }))
        .await?;
    for (queue, state) in &buried {
        metrics::count(queue, metrics::given_up(*state), 1);
    }
    let before_ms = now_ms - mqueue.config.retention_ms();
    for _ in 0..BATCHES {
        let more = mqueue
            .db
            .write(move |tx| Box::pin(async move { store::purge(tx, before_ms).await }))
            .await?;
        if !more {
            break;
        }
    }
    refresh(mqueue, now_ms).await
}

async fn refresh(mqueue: &MqueueService, now_ms: i64) -> Result<()> {
    let queues = views::queues(&mqueue.db, now_ms).await?;
    // A queue that has run empty must not keep its last count.
    metrics::QUEUE.reset();
    metrics::OLDEST.reset();
    for queue in queues {
        for (state, jobs) in [
            ("ready", queue.ready),
            ("scheduled", queue.scheduled),
            ("running", queue.running),
            ("dead", queue.dead),
        ] {
            metrics::QUEUE
                .with_label_values(&[queue.queue.as_str(), state])
                .set(jobs);
        }
        metrics::OLDEST
            .with_label_values(&[queue.queue.as_str()])
            .set(queue.oldest_due_ms / 1000);
    }
    Ok(())
}
