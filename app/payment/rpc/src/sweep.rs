use futures::stream::{self, StreamExt};
use homestay_error::Result;

use crate::service::PaymentService;
use crate::store;

/// A payment this old whose order is closed should have been closed with it.
const CLOSED_AFTER_MS: i64 = 30_000;
/// How long past its expiry a payment may stay open.
const EXPIRED_AFTER_MS: i64 = 60_000;
/// How long a refund may stay pending before the provider is asked again.
const REFUND_AFTER_MS: i64 = 60_000;
/// Calls to providers at the same time.
const CONCURRENCY: usize = 8;

impl PaymentService {
    /// Ends payments and refunds that hang longer than they should, at most 50 of each; how many were looked at.
    /// One that fails does not keep the others waiting: its turn comes again after theirs.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn sweep(&self) -> Result<i64> {
        let now_ms = self.clock.now_ms();
        let (payments, refunds) = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let payments =
                        store::overdue(tx, now_ms - CLOSED_AFTER_MS, now_ms - EXPIRED_AFTER_MS, now_ms)
                            .await?;
                    let refunds = store::stuck_refunds(tx, now_ms - REFUND_AFTER_MS, now_ms).await?;
                    Ok((payments, refunds))
                })
            })
            .await?;
        let looked_at = payments.len() + refunds.len();
        stream::iter(&payments)
            .for_each_concurrent(CONCURRENCY, |payment| async move {
                if let Err(error) = self.end(payment).await {
                    tracing::warn!(payment.sn = %payment.sn, error = %error.chain(), "an overdue payment could not be ended");
                }
            })
            .await;
        stream::iter(&refunds)
            .for_each_concurrent(CONCURRENCY, |sn| async move {
                if let Err(error) = self.execute_refund(sn).await {
                    tracing::warn!(refund.sn = sn, error = %error.chain(), "a refund could not be carried out");
                }
            })
            .await;
        Ok(i64::try_from(looked_at).unwrap_or(i64::MAX))
    }
}
