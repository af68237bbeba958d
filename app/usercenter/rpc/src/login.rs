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
    let (holder, hash) = store::credentials(db.read(), mobile)
        .await?
        .filter(|(holder, _)| sessions.lets_in(holder))
        .unzip();
    let right = passwords
        .verify(password, hash.filter(|hash| !hash.is_empty()))
        .await?;
    let Some(holder) = holder.filter(|_| right) else {
        return Err(Error::new(Code::BadCredentials));
    };
    let sessions = sessions.clone();
    db.write(move |tx| Box::pin(async move { sessions.open(tx, holder, kind).await }))
        .await
}
