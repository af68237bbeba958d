use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;

use crate::session::token_hash;
use crate::store;

/// Ends the family of a refresh token, whoever calls: the token is the proof. Without a token it ends all families of the
/// caller. An unknown token is no error (RFC 7009 §2.2): it can do nothing any more either way.
///
/// # Errors
/// [`Code::Unauthenticated`] without a token and without an account.
pub(crate) async fn logout(db: &Db, now_ms: i64, actor: &Actor, token: &str) -> Result<()> {
    let hash = (!token.is_empty()).then(|| token_hash(token));
    let user_id = actor.user_id();
    if hash.is_none() && user_id.is_none() {
        return Err(Error::new(Code::Unauthenticated));
    }
    db.write(move |tx| {
        Box::pin(async move {
            match (hash, user_id) {
                (Some(hash), _) => store::revoke_family_of(tx, &hash, now_ms).await,
                (None, Some(user_id)) => store::revoke_all(tx, user_id, now_ms).await,
                (None, None) => Ok(()),
            }
        })
    })
    .await
}
