use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::{Session, SessionKind};

use crate::Passwords;
use crate::session::Sessions;
use crate::store;

/// Gives an account another password, for its old one. All its sessions end, and WeChat is no way in any more until it is bound
/// again: somebody else may have had the account. The caller gets a new session.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `oldPassword` if that is wrong, or there is none; [`Code::Unauthenticated`] if there is no such
/// account.
pub(crate) async fn change_password(
    db: &Db,
    passwords: &Passwords,
    sessions: &Sessions,
    user_id: i64,
    old: String,
    new: String,
    kind: SessionKind,
) -> Result<Session> {
    let wrong = || Error::invalid("oldPassword", "is not the password of this account");
    let unknown = || Error::new(Code::Unauthenticated);
    let (holder, hash) = store::credentials_of(db.read(), user_id)
        .await?
        .ok_or_else(unknown)?;
    let known = Some(hash.clone()).filter(|hash| !hash.is_empty());
    if !passwords.verify(old, known).await? {
        return Err(wrong());
    }
    let new_hash = passwords.hash(new).await?;
    let sessions = sessions.clone();
    let session = db
        .write(move |tx| {
            Box::pin(async move {
                // Not over a password that was changed meanwhile.
                if !store::change_password(tx, user_id, &hash, &new_hash).await? {
                    return Err(wrong());
                }
                store::delete_auths(tx, store::WX_MINI, user_id).await?;
                store::revoke_all(tx, user_id, sessions.now_ms()).await?;
                sessions.open(tx, holder, kind).await
            })
        })
        .await?;
    tracing::info!(user.id = user_id, "a password was changed");
    Ok(session)
}
