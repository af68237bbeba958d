use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;

use crate::store::{self, Account, Profile};

/// Profiles of one call.
const MANY: usize = 1000;

/// An account, for its owner and for who sees all. Somebody else's looks unknown.
///
/// # Errors
/// [`Code::NotFound`].
pub(crate) async fn user(db: &Db, actor: &Actor, id: i64) -> Result<Account> {
    let unknown = || Error::with(Code::NotFound, "用户不存在");
    if !actor.may_see(id) {
        return Err(unknown());
    }
    store::account(db, id).await?.ok_or_else(unknown)
}

/// Public faces of accounts, by id; unknown ids are left out.
///
/// # Errors
/// [`Code::InvalidArgument`] for more than 1000 ids.
pub(crate) async fn profiles(db: &Db, mut ids: Vec<i64>) -> Result<Vec<Profile>> {
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MANY {
        return Err(Error::invalid("ids", "must be at most 1000"));
    }
    store::profiles(db, &ids).await
}
