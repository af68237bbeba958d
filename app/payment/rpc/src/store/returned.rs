//! SQL of refunds whose money came back to us after they had succeeded. They stay booked as they are: what comes back is not
//! ours, and goes out again as another attempt.

use homestay_db::Tx;
use homestay_error::Result;
use sqlx::{Any, Executor, Row};

/// Where the money of a refund is that had succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Returned {
    /// Where it belongs.
    No,
    /// With us.
    Yes,
    /// On its way again.
    SentAgain,
}

impl Returned {
    fn code(self) -> i64 {
        match self {
            Returned::No => 0,
            Returned::Yes => 1,
            Returned::SentAgain => 2,
        }
    }
}

async fn change(tx: &mut Tx, sn: &str, from: [Returned; 2], to: Returned, now_ms: i64) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE refund SET returned = $1, attempt = attempt + $2, updated_at_ms = $3 \
         WHERE sn = $4 AND state = 'succeeded' AND (returned = $5 OR returned = $6)",
    )
    .bind(to.code())
    .bind(i64::from(to == Returned::SentAgain))
    .bind(now_ms)
    .bind(sn.to_owned())
    .bind(from[0].code())
    .bind(from[1].code())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The money is back with us; false if that is known. Where it had gone back `otherwise`, by hand, only what was sent again since
/// can come back.
pub(crate) async fn came_back(tx: &mut Tx, sn: &str, otherwise: bool, now_ms: i64) -> Result<bool> {
    let at_first = if otherwise {
        Returned::SentAgain
    } else {
        Returned::No
    };
    change(tx, sn, [at_first, Returned::SentAgain], Returned::Yes, now_ms).await
}

/// Another attempt begins; false if there is nothing to send.
pub(crate) async fn send_again(tx: &mut Tx, sn: &str, now_ms: i64) -> Result<bool> {
    change(tx, sn, [Returned::Yes; 2], Returned::SentAgain, now_ms).await
}

/// What was sent again has arrived; false if nothing was.
pub(crate) async fn arrived(tx: &mut Tx, sn: &str, now_ms: i64) -> Result<bool> {
    change(tx, sn, [Returned::SentAgain; 2], Returned::No, now_ms).await
}

/// Whether the refund is on its way again.
pub(crate) async fn is_sent_again<'e>(on: impl Executor<'e, Database = Any>, sn: &str) -> Result<bool> {
    let row = sqlx::query("SELECT returned FROM refund WHERE sn = $1")
        .bind(sn.to_owned())
        .fetch_optional(on)
        .await?;
    let Some(row) = row else { return Ok(false) };
    Ok(row.try_get::<i64, _>("returned")? == Returned::SentAgain.code())
}

/// Whether an event of a provider was noted.
pub(crate) async fn knows_event<'e>(
    on: impl Executor<'e, Database = Any>,
    provider: &str,
    event_id: &str,
) -> Result<bool> {
    let row = sqlx::query("SELECT received_at_ms FROM inbox WHERE provider = $1 AND event_id = $2")
        .bind(provider.to_owned())
        .bind(event_id.to_owned())
        .fetch_optional(on)
        .await?;
    Ok(row.is_some())
}
