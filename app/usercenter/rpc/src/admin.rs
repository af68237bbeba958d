use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::{Error, Result};
use homestay_types::Role;

use crate::store::{self, NewAccount};
use crate::{Passwords, account};

/// Sees to it that the account `mobile` exists and is an admin; its id.
///
/// A new account gets `password`. So does an older one that was no admin, or one of the demo: whoever registered the number
/// before must not become admin by that, so its sessions and its WeChat binding end too. An admin is left alone, whatever the
/// password. Call it before serving.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field; those of the database.
pub async fn bootstrap_admin(db: &Db, ids: &Ids, clock: &Clock, mobile: &str, password: &str) -> Result<i64> {
    let mobile = account::mobile(mobile)?.to_owned();
    let password = account::password(password)?;
    if let Some(holder) = store::holder_by_mobile(db.read(), &mobile).await?
        && holder.role == Role::Admin
        && !holder.demo
    {
        return Ok(holder.id);
    }
    let password_hash = Passwords::default().hash(password.to_owned()).await?;
    let now_ms = clock.now_ms();
    let new = NewAccount {
        id: ids.id(),
        mobile: Some(mobile.clone()),
        password_hash,
        nickname: "admin".to_owned(),
        sex: 0,
        avatar: String::new(),
        info: String::new(),
        role: Role::Admin,
        demo: false,
        created_at_ms: now_ms,
    };
    db.write(move |tx| {
        Box::pin(async move {
            if store::insert_accounts(tx, std::slice::from_ref(&new)).await? == 1 {
                store::insert_auth(tx, store::SYSTEM, &mobile, new.id).await?;
                tracing::info!(user.id = new.id, "made the first admin");
                return Ok(new.id);
            }
            let holder = store::holder_by_mobile(&mut **tx, &mobile)
                .await?
                .ok_or_else(|| Error::internal("an account is neither new nor known"))?;
            if store::raise(tx, holder.id, Role::Admin, &new.password_hash).await? {
                store::insert_auth(tx, store::SYSTEM, &mobile, holder.id).await?;
                store::delete_auths(tx, store::WX_MINI, holder.id).await?;
                store::revoke_all(tx, holder.id, now_ms).await?;
                tracing::info!(user.id = holder.id, "raised an account to admin");
            }
            Ok(holder.id)
        })
    })
    .await
}
