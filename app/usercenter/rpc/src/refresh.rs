use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::{Session, SessionKind};

use crate::session::{Sessions, token_hash};
use crate::store;

/// Changes a refresh token for a new session with the account's role of now. A token works once: whoever shows it again
/// (or at the same time) has copied it or was copied from, so the whole family ends (RFC 9700 §4.14.2).
///
/// # Errors
/// [`Code::BadRefreshToken`].
pub(crate) async fn refresh(db: &Db, sessions: &Sessions, token: &str, kind: SessionKind) -> Result<Session> {
    let hash = token_hash(token);
    let sessions = sessions.clone();
    let session = db
        .write(move |tx| {
            Box::pin(async move {
                let now_ms = sessions.now_ms();
                let Some(presented) = store::presented(tx, &hash).await? else {
                    return Ok(None);
                };
                let lets_in = sessions.lets_in(&presented.holder);
                if presented.revoked || presented.expires_at_ms <= now_ms || !lets_in {
                    return Ok(None);
                }
                if !store::use_token(tx, &hash, now_ms).await? {
                    // No error: the end of the family is to be committed.
                    store::revoke_family(tx, presented.family_id, now_ms).await?;
                    tracing::warn!(
                        user.id = presented.holder.id,
                        "a used refresh token came back, its family is revoked"
                    );
                    return Ok(None);
                }
                sessions
                    .carry_on(tx, presented.family_id, presented.holder, kind)
                    .await
                    .map(Some)
            })
        })
        .await?;
    session.ok_or_else(|| Error::new(Code::BadRefreshToken))
}
