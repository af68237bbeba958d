use homestay_clock::Ids;
use homestay_db::{Db, Tx};
use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::{Session, SessionKind};
use homestay_types::Role;

use crate::account;
use crate::session::Sessions;
use crate::store::{self, Holder, NewAccount, WX_MINI};
use crate::wechat::Identity;

/// Signs in who WeChat says the caller is. `user_id` is the account that is signed in already, if one is: it gets the
/// WeChat identity. Otherwise the account of that identity, else the account of its phone number, else a new one.
///
/// # Errors
/// [`Code::WechatBound`] if identity or account is bound to another; [`Code::Unauthenticated`] if `user_id` is unknown;
/// [`Code::WechatAuthFailed`] where the identity may not be bound: operators and admins sign in by password.
pub(crate) async fn wx_auth(
    db: &Db,
    ids: &Ids,
    sessions: &Sessions,
    user_id: Option<i64>,
    identity: Identity,
    kind: SessionKind,
) -> Result<Session> {
    let new_id = ids.id();
    let sessions = sessions.clone();
    db.write(move |tx| {
        Box::pin(async move {
            let holder = match user_id {
                Some(id) => {
                    let holder = store::lock(tx, id)
                        .await?
                        .ok_or_else(|| Error::new(Code::Unauthenticated))?;
                    bind(tx, &identity.openid, holder).await?
                }
                None => sign_in(tx, new_id, &identity, sessions.now_ms()).await?,
            };
            if !sessions.lets_in(&holder) {
                return Err(Error::new(Code::WechatAuthFailed));
            }
            sessions.open(tx, holder, kind).await
        })
    })
    .await
}

/// Binds the identity to an account; repeating it is fine. Never to an operator's or admin's: neither a phone number nor an
/// access token, which may be stolen, is proof enough for a way in that stays.
async fn bind(tx: &mut Tx, openid: &str, holder: Holder) -> Result<Holder> {
    if matches!(holder.role, Role::Operator | Role::Admin) {
        return Err(Error::with(Code::WechatAuthFailed, "staff sign in by password"));
    }
    if store::insert_auth(tx, WX_MINI, openid, holder.id).await? {
        return Ok(holder);
    }
    store::holder_by_auth(&mut **tx, WX_MINI, openid)
        .await?
        .filter(|bound| bound.id == holder.id)
        .ok_or_else(|| Error::new(Code::WechatBound))
}

/// The account of an identity that is bound already. Its row is locked and the binding looked at again: whoever took it away
/// meanwhile, with a new password or a new role, did so for good.
async fn known(tx: &mut Tx, openid: &str) -> Result<Option<Holder>> {
    let Some(seen) = store::holder_by_auth(&mut **tx, WX_MINI, openid).await? else {
        return Ok(None);
    };
    store::lock(tx, seen.id).await?;
    store::holder_by_auth(&mut **tx, WX_MINI, openid).await
}

/// Binds the identity to the account of its phone number.
async fn bind_by_phone(tx: &mut Tx, openid: &str, seen: Holder) -> Result<Holder> {
    let holder = store::lock(tx, seen.id)
        .await?
        .ok_or_else(|| Error::internal("an account is gone"))?;
    bind(tx, openid, holder).await
}

async fn sign_in(tx: &mut Tx, new_id: i64, identity: &Identity, now_ms: i64) -> Result<Holder> {
    let Identity { openid, mobile } = identity;
    if let Some(known) = known(tx, openid).await? {
        return Ok(known);
    }
    if let Some(mobile) = mobile
        && let Some(holder) = store::holder_by_mobile(&mut **tx, mobile).await?
    {
        return bind_by_phone(tx, openid, holder).await;
    }
    let new = Holder {
        id: new_id,
        role: Role::Guest,
        demo: false,
    };
    // Between the reads above and the inserts below another process may do the same; the inserts decide.
    if !store::insert_auth(tx, WX_MINI, openid, new.id).await? {
        return known(tx, openid)
            .await?
            .ok_or_else(|| Error::new(Code::WechatBound));
    }
    let account = NewAccount {
        id: new.id,
        mobile: mobile.clone(),
        password_hash: String::new(),
        nickname: account::wechat_nickname(mobile.as_deref(), openid),
        sex: 0,
        avatar: String::new(),
        info: String::new(),
        role: new.role,
        demo: new.demo,
        created_at_ms: now_ms,
    };
    if store::insert_accounts(tx, &[account]).await? == 1 {
        return Ok(new);
    }
    store::delete_auths(tx, WX_MINI, new.id).await?;
    let holder = match mobile {
        Some(mobile) => store::holder_by_mobile(&mut **tx, mobile).await?,
        None => None,
    };
    let holder = holder.ok_or_else(|| Error::internal("an account is neither new nor known"))?;
    bind_by_phone(tx, openid, holder).await
}
