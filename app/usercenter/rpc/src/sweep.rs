use std::time::Duration;

use homestay_clock::Clock;
use homestay_db::Db;
use homestay_service::Stop;

use crate::store;

/// How often expired tokens are deleted.
const EVERY: Duration = Duration::from_secs(3600);

/// Deletes refresh tokens and families that have expired, every hour until `stop`: a service of usercenter-rpc. Any number
/// of replicas may run it.
///
/// # Errors
/// None: a failure is logged and tried again with the next round.
pub async fn sweep(db: Db, clock: Clock, stop: Stop) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    loop {
        let now_ms = clock.now_ms();
        let deleted = db
            .write(move |tx| Box::pin(async move { store::delete_expired(tx, now_ms).await }))
            .await;
        match deleted {
            Ok(0) => {}
            Ok(tokens) => tracing::debug!(tokens, "deleted expired refresh tokens"),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "expired refresh tokens could not be deleted");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = clock.sleep(EVERY) => {}
        }
    }
}
