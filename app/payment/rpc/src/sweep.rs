use std::time::Duration;

use futures::stream::{self, StreamExt};
use homestay_error::Result;
use homestay_rpc::deadline;

use crate::service::PaymentService;
use crate::store::{self, Payment};

/// A payment this old whose order is closed should have been closed with it.
const CLOSED_AFTER_MS: i64 = 30_000;
/// How long past its expiry a payment may stay open.
const EXPIRED_AFTER_MS: i64 = 60_000;
/// How long a refund may stay pending before the provider is asked again.
const REFUND_AFTER_MS: i64 = 60_000;
/// Calls to providers at the same time.
const CONCURRENCY: usize = 8;
/// With less than this left of its time a sweep begins nothing more: the next one finds it.
const ENOUGH: Duration = Duration::from_millis(500);
/// How long it is known what providers told us: none repeats it after so long, and every state refuses it twice.
const INBOX_MS: i64 = 90 * 24 * 3_600_000;
/// How long callers' keys are known.
const KEYS_MS: i64 = 48 * 3_600_000;

/// Whether there is time to begin something.
pub(crate) fn has_time() -> bool {
    deadline::left().is_none_or(|left| left >= ENOUGH)
}

impl PaymentService {
    /// Ends payments and refunds that hang longer than they should, at most 50 of each, and sees to captured money that its
    /// order has not taken; how many were looked at. One that fails does not keep the others waiting: its turn comes again
    /// after theirs. Removes what nobody can need any more, and counts the open cases.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn sweep(&self) -> Result<i64> {
        let (payments, refunds, captured) = futures::join!(
            self.end_overdue(),
            self.ask_again_for_refunds(),
            self.settle_captured()
        );
        self.prune().await?;
        self.count_cases().await;
        Ok(payments? + refunds? + captured?)
    }

    async fn prune(&self) -> Result<()> {
        let now_ms = self.clock.now_ms();
        let (inbox_ms, keys_ms) = (now_ms - INBOX_MS, now_ms - KEYS_MS);
        if !store::sweep::to_prune(self.db.read(), inbox_ms, keys_ms).await? {
            return Ok(());
        }
        self.db
            .write(move |tx| Box::pin(async move { store::sweep::prune(tx, inbox_ms, keys_ms).await }))
            .await
    }

    async fn end_overdue(&self) -> Result<i64> {
        let now_ms = self.clock.now_ms();
        let payments = store::sweep::overdue(
            self.db.read(),
            now_ms - CLOSED_AFTER_MS,
            now_ms - EXPIRED_AFTER_MS,
        )
        .await?;
        let begun = stream::iter(payments)
            .map(|payment| async move {
                if !has_time() || !self.begin(&payment, now_ms).await {
                    return 0;
                }
                if let Err(error) = self.end(&payment).await {
                    tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "an overdue payment could not be ended");
                }
                1
            })
            .buffer_unordered(CONCURRENCY)
            .fold(0, |sum, one| async move { sum + one })
            .await;
        Ok(begun)
    }

    /// Notes that the payment is looked at, so that others come first the next time.
    async fn begin(&self, payment: &Payment, now_ms: i64) -> bool {
        let sns = vec![payment.sn.to_string()];
        let noted = self
            .db
            .write(move |tx| Box::pin(async move { store::sweep::looked_at(tx, sns, now_ms).await }))
            .await;
        if let Err(error) = &noted {
            tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "an overdue payment could not be looked at");
        }
        noted.is_ok()
    }

    async fn ask_again_for_refunds(&self) -> Result<i64> {
        let now_ms = self.clock.now_ms();
        let before_ms = now_ms - REFUND_AFTER_MS;
        let refunds = store::sweep::stuck_refunds(self.db.read(), before_ms).await?;
        let begun = stream::iter(refunds)
            .map(|sn| async move {
                if !has_time() {
                    return 0;
                }
                let mine = sn.clone();
                let begun = self
                    .db
                    .write(move |tx| {
                        Box::pin(async move { store::sweep::touch_refund(tx, mine, before_ms, now_ms).await })
                    })
                    .await;
                let outcome = match begun {
                    Ok(false) => return 0,
                    Ok(true) => self.execute_refund(&sn).await.map(drop),
                    Err(error) => Err(error),
                };
                if let Err(error) = outcome {
                    tracing::warn!(refund.sn = sn, error = %error.chain(), "a refund could not be carried out");
                }
                1
            })
            .buffer_unordered(CONCURRENCY)
            .fold(0, |sum, one| async move { sum + one })
            .await;
        Ok(begun)
    }
}
