use std::collections::{BTreeMap, HashMap};

use homestay_clock::{Clock, Ids, secret_code};
use homestay_db::Db;
use homestay_error::{Error, Result};
use homestay_proto::usercenter::{SeedReply, SeedUser};
use homestay_types::Role;

use crate::store::{self, NewAccount};
use crate::{Passwords, account};

/// Accounts of one call: their mobiles are one list of parameters.
const MANY: usize = 10_000;

/// Makes accounts of the demo in bulk. One whose mobile is known is left as it is, so a run cut short can be repeated.
///
/// A password is hashed once a call, however many accounts share it: these are demo accounts.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the user and field; nothing is made then.
pub(crate) async fn seed(
    db: &Db,
    ids: &Ids,
    clock: &Clock,
    passwords: &Passwords,
    users: Vec<SeedUser>,
) -> Result<SeedReply> {
    if users.len() > MANY {
        return Err(Error::invalid("users", "must be at most 10000"));
    }
    let roles = users
        .iter()
        .enumerate()
        .map(|(index, user)| check(index, user))
        .collect::<Result<Vec<Role>>>()?;
    let mobiles: Vec<String> = users.iter().map(|user| user.mobile.clone()).collect();
    let known = store::ids_by_mobile(db.read(), db.dialect(), &mobiles).await?;

    let mut hashes: BTreeMap<String, String> = BTreeMap::from([(String::new(), String::new())]);
    let created_at_ms = clock.now_ms();
    let mut accounts = Vec::new();
    for (user, role) in users.into_iter().zip(roles) {
        if known.contains_key(&user.mobile) {
            continue;
        }
        let password_hash = match hashes.get(&user.password) {
            Some(hash) => hash.clone(),
            None => {
                let hash = passwords.hash(user.password.clone()).await?;
                hashes.insert(user.password, hash.clone());
                hash
            }
        };
        accounts.push(NewAccount {
            id: if user.id == 0 { ids.id() } else { user.id },
            mobile: Some(user.mobile),
            password_hash,
            nickname: Some(user.nickname)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| secret_code(8)),
            sex: user.sex,
            avatar: user.avatar,
            info: user.info,
            role,
            demo: true,
            created_at_ms,
        });
    }
    if accounts.is_empty() {
        return reply(&mobiles, &known, 0);
    }
    db.write(move |tx| {
        Box::pin(async move {
            let created = store::insert_accounts(tx, &accounts).await?;
            let dialect = tx.dialect();
            let found = store::ids_by_mobile(&mut **tx, dialect, &mobiles).await?;
            let ours: Vec<(String, i64)> = accounts
                .into_iter()
                .filter_map(|new| {
                    let mobile = new.mobile?;
                    (found.get(&mobile) == Some(&new.id)).then_some((mobile, new.id))
                })
                .collect();
            store::insert_system_auths(tx, &ours).await?;
            reply(&mobiles, &found, created)
        })
    })
    .await
}

fn check(index: usize, user: &SeedUser) -> Result<Role> {
    let name = |field: &str| format!("users[{index}].{field}");
    account::mobile(&user.mobile)
        .map_err(|_| Error::invalid(name("mobile"), "must be 11 digits, the first a 1"))?;
    if !user.password.is_empty() {
        account::password(&user.password)
            .map_err(|_| Error::invalid(name("password"), "must have 6 to 128 characters"))?;
    }
    account::nickname(&user.nickname)
        .map_err(|_| Error::invalid(name("nickname"), "must have at most 32 characters"))?;
    if !(0..homestay_types::MAX_SAFE_ID).contains(&user.id) {
        return Err(Error::invalid(name("id"), "must be positive and below 2^53"));
    }
    match user.role.as_str() {
        "" => Ok(Role::Guest),
        role => role
            .parse()
            .map_err(|_| Error::invalid(name("role"), "must be guest, host, operator or admin")),
    }
}

/// An account whose mobile is not there after the insert was refused for its id.
fn reply(mobiles: &[String], found: &HashMap<String, i64>, created: u64) -> Result<SeedReply> {
    let ids = mobiles
        .iter()
        .enumerate()
        .map(|(index, mobile)| {
            found
                .get(mobile)
                .copied()
                .ok_or_else(|| Error::invalid(format!("users[{index}].id"), "belongs to another account"))
        })
        .collect::<Result<Vec<i64>>>()?;
    Ok(SeedReply {
        ids,
        created: i64::try_from(created).unwrap_or(i64::MAX),
    })
}
