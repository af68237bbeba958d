use homestay_clock::{Ids, secret_code};
use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::{Session, SessionKind};
use homestay_types::Role;

use crate::Passwords;
use crate::session::Sessions;
use crate::store::{self, Holder, NewAccount};

/// Who wants an account; checked by [`crate::account`].
pub(crate) struct Applicant {
    pub mobile: String,
    pub password: String,
    pub nickname: Option<String>,
}

/// Opens an account and signs it in.
///
/// # Errors
/// [`Code::MobileTaken`].
pub(crate) async fn register(
    db: &Db,
    ids: &Ids,
    passwords: &Passwords,
    sessions: &Sessions,
    applicant: Applicant,
    kind: SessionKind,
) -> Result<Session> {
    let Applicant {
        mobile,
        password,
        nickname,
    } = applicant;
    // Saves the hash of the common refusal; the insert decides.
    if store::holder_by_mobile(db.read(), &mobile).await?.is_some() {
        return Err(Error::new(Code::MobileTaken));
    }
    let password_hash = passwords.hash(password).await?;
    let account = NewAccount {
        id: ids.id(),
        mobile: Some(mobile.clone()),
        password_hash,
        nickname: nickname.unwrap_or_else(|| secret_code(8)),
        sex: 0,
        avatar: String::new(),
        info: String::new(),
        role: Role::Guest,
        demo: false,
        created_at_ms: sessions.now_ms(),
    };
    let sessions = sessions.clone();
    db.write(move |tx| {
        Box::pin(async move {
            let holder = Holder {
                id: account.id,
                role: account.role,
                demo: account.demo,
            };
            if store::insert_accounts(tx, &[account]).await? == 0 {
                return Err(Error::new(Code::MobileTaken));
            }
            store::insert_auth(tx, store::SYSTEM, &mobile, holder.id).await?;
            sessions.open(tx, holder, kind).await
        })
    })
    .await
}
