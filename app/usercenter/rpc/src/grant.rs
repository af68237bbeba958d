use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::GrantReply;
use homestay_rpc::Actor;
use homestay_types::Role;

use crate::account;
use crate::store;

/// The role of this name.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `role`.
pub(crate) fn role(name: &str) -> Result<Role> {
    name.parse()
        .map_err(|_| Error::invalid("role", "must be guest, host, operator or admin"))
}

/// Gives the account of a mobile a role; to be a guest is to have no other. The account has it from its next refresh on: the
/// access tokens that are out say the old one until they end.
///
/// # Errors
/// [`Code::NotFound`] for a mobile without an account; [`Code::LastAdmin`] if nobody would be admin any more.
pub(crate) async fn grant(db: &Db, demo: bool, by: &Actor, mobile: &str, to: Role) -> Result<GrantReply> {
    let mobile = account::mobile(mobile)?.to_owned();
    let unknown = || Error::with(Code::NotFound, "no account has this mobile").field("mobile");
    let (id, before) = db
        .write(move |tx| {
            Box::pin(async move {
                let seen = store::holder_by_mobile(&mut **tx, &mobile)
                    .await?
                    .ok_or_else(unknown)?;
                if seen.role == to {
                    return Ok((seen.id, seen.role));
                }
                let counts = seen.role == Role::Admin && (demo || !seen.demo);
                if counts && store::lock_admins(tx, demo).await? < 2 {
                    return Err(Error::new(Code::LastAdmin));
                }
                if !store::change_role(tx, seen.id, seen.role, to).await? {
                    return Err(Error::with(
                        Code::Unavailable,
                        "the role is being changed, try again",
                    ));
                }
                Ok((seen.id, seen.role))
            })
        })
        .await?;
    tracing::info!(user.id = id, from = %before, %to, %by, "a role was granted");
    let nickname = store::account(db, id).await?.map(|account| account.nickname);
    Ok(GrantReply {
        user_id: id,
        nickname: nickname.unwrap_or_default(),
        before: before.as_str().to_owned(),
    })
}
