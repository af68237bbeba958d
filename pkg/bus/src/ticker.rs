use std::time::Duration;

use futures::future::join_all;
use homestay_clock::Clock;
use homestay_jobs::{Enqueuer, NewJob};
use homestay_service::Stop;

use crate::{Binding, Source};

const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Enqueues a job at every multiple of the period of each `Every` row of `table`, until `stop`.
///
/// A start between two ticks enqueues the current one at once: the job's unique key makes it run once, whoever else ticks. That
/// holds as long as the broker keeps done jobs, so periods are shorter than its retention. Ticks that passed while the broker
/// did not answer are not made up for.
///
/// # Errors
/// Never by itself: a broker that does not answer is asked again until the next tick.
pub fn ticker(
    table: &[Binding],
    enqueuer: Enqueuer,
    clock: Clock,
    stop: Stop,
) -> impl Future<Output = Result<(), Failed>> + Send + use<> {
    let rows: Vec<(&'static str, Duration)> = table
        .iter()
        .filter_map(|row| match row.source {
            Source::Every { kind, period } => Some((kind, period)),
            Source::Topic { .. } | Source::Job(_) => None,
        })
        .collect();
    async move {
        let ticks = join_all(
            rows.iter()
                .map(|(kind, period)| tick(kind, *period, &enqueuer, &clock)),
        );
        // Without a row there is nothing to do until the stop.
        let forever = async {
            ticks.await;
            std::future::pending::<()>().await;
        };
        stop.run_until_cancelled(forever).await;
        Ok(())
    }
}

async fn tick(kind: &str, period: Duration, enqueuer: &Enqueuer, clock: &Clock) {
    let period_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    loop {
        let at_ms = tick_at(clock.now_ms(), period_ms);
        let next_ms = at_ms.saturating_add(period_ms);
        tokio::select! {
            // First, so that a tick that was enqueued just in time is not lost to the next.
            biased;
            () = enqueue(kind, at_ms, enqueuer) => clock.sleep_until(next_ms).await,
            () = clock.sleep_until(next_ms) => {
                tracing::warn!(kind, at_ms, "a tick could not be enqueued");
            }
        }
    }
}

/// The tick that `now_ms` belongs to: ticks are the multiples of the period.
fn tick_at(now_ms: i64, period_ms: i64) -> i64 {
    now_ms - now_ms.rem_euclid(period_ms)
}

async fn enqueue(kind: &str, at_ms: i64, enqueuer: &Enqueuer) {
    let job = NewJob::new(kind, &serde_json::json!({ "tick_ms": at_ms }))
        .due_at_ms(at_ms)
        .unique(format!("cron:{kind}:{at_ms}"))
        // The next tick is the retry.
        .max_attempts(1);
    let mut pause = BACKOFF.0;
    while let Err(error) = enqueuer.enqueue(vec![job.clone()]).await {
        tracing::warn!(kind, at_ms, error = %error.chain(), "a tick could not be enqueued; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_the_multiples_of_the_period() {
        for (now, period, tick) in [
            (0, 60, 0),
            (59, 60, 0),
            (60, 60, 60),
            (61, 60, 60),
            (119, 60, 60),
            (7, 1, 7),
            (-1, 60, -60),
        ] {
            assert_eq!(tick_at(now, period), tick, "{now} by {period}");
        }
    }
}
