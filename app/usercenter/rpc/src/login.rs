use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::{Session, SessionKind};

use crate::Passwords;
use crate::session::Sessions;
use crate::store;

/// Signs an account in by mobile and password. An unknown mobile, an account without a password, one of the demo where there
/// is none and a wrong password get the same answer after the same work.
///
/// # Errors
/// [`Code::BadCredentials`].
pub(crate) async fn login(
    db: &Db,
    passwords: &Passwords,
    sessions: &Sessions,
    mobile: &str,
    password: String,
    kind: SessionKind,
) -> Result<Session> {
    let refused = || Error::new(Code::BadCredentials);
    let (holder, hash) = store::credentials(db.read(), mobile)
        .await?
        .filter(|(holder, hash)| sessions.lets_in(holder) && !hash.is_empty())
        .unzip();
    let right = passwords.verify(password, hash.clone()).await?;
    let (Some(holder), Some(hash)) = (holder.filter(|_| right), hash) else {
        return Err(refused());
    };
    let sessions = sessions.clone();
    db.write(move |tx| {
        Box::pin(async move {
            // Verifying takes its time, in which the password may have become another one.
            let holder = store::lock_with_password(tx, holder.id, &hash)
                .await?
                .ok_or_else(refused)?;
            sessions.open(tx, holder, kind).await
        })
    })
    .await
}
