use std::sync::Arc;
use std::time::Duration;

use homestay_clock::{Clock, Ids, secret_token};
use homestay_db::Tx;
use homestay_error::{Code, Error, Result};
use homestay_http::Keys;
use homestay_http::auth::Claims;
use homestay_proto::usercenter::{Session, SessionKind};
use homestay_types::Role;
use sha2::{Digest, Sha256};

use crate::Config;
use crate::store::{self, Holder};

/// Issues sessions: an access token, and a refresh token of a new or an older family. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    inner: Arc<Inner>,
    /// Whether accounts of the demo get any.
    pub demo: bool,
}

#[derive(Debug)]
struct Inner {
    ids: Ids,
    clock: Clock,
    keys: Keys,
    access_ttl: Duration,
    looklook_ttl: Duration,
    refresh_ttl: Duration,
}

/// The hash a refresh token is stored and found by.
pub(crate) fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Sessions {
    pub(crate) fn new(ids: Ids, clock: Clock, keys: Keys, config: &Config) -> Self {
        let inner = Arc::new(Inner {
            ids,
            clock,
            keys,
            access_ttl: config.access_ttl,
            looklook_ttl: config.looklook_ttl,
            refresh_ttl: config.refresh_ttl,
        });
        Self { inner, demo: false }
    }

    /// Whether this account may sign in here: one of the demo only where there is a demo.
    pub(crate) fn lets_in(&self, holder: &Holder) -> bool {
        self.demo || !holder.demo
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// Signs `holder` in: a new family with its first token.
    pub(crate) async fn open(&self, tx: &mut Tx, holder: Holder, kind: SessionKind) -> Result<Session> {
        let family_id = self.inner.ids.id();
        let now_ms = self.now_ms();
        store::insert_family(tx, family_id, holder.id, now_ms, self.refresh_ends(now_ms)).await?;
        self.issue(tx, family_id, holder, kind, now_ms).await
    }

    /// Gives the next token of a family whose last one was used up.
    pub(crate) async fn carry_on(
        &self,
        tx: &mut Tx,
        family_id: i64,
        holder: Holder,
        kind: SessionKind,
    ) -> Result<Session> {
        let now_ms = self.now_ms();
        store::extend_family(tx, family_id, self.refresh_ends(now_ms)).await?;
        self.issue(tx, family_id, holder, kind, now_ms).await
    }

    async fn issue(
        &self,
        tx: &mut Tx,
        family_id: i64,
        holder: Holder,
        kind: SessionKind,
        now_ms: i64,
    ) -> Result<Session> {
        // Each way to sign in says it its own way before; none gets past here.
        if !self.lets_in(&holder) {
            return Err(Error::new(Code::Unauthenticated));
        }
        let refresh_token = secret_token();
        let refresh_ends = self.refresh_ends(now_ms);
        store::insert_token(tx, &token_hash(&refresh_token), family_id, refresh_ends).await?;

        // The role stands in the token: one that can do much is not to outlive it by a day.
        let staff = matches!(holder.role, Role::Operator | Role::Admin);
        let life = match kind {
            SessionKind::Looklook if !staff => self.inner.looklook_ttl,
            SessionKind::Looklook | SessionKind::Rest => self.inner.access_ttl,
        };
        let life = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let now = now_ms / 1000;
        let exp = now.saturating_add(life);
        let claims = Claims {
            exp,
            iat: now,
            user_id: holder.id,
            role: holder.role,
        };
        Ok(Session {
            user_id: holder.id,
            access_token: self.inner.keys.sign(&claims)?,
            access_expire: exp,
            refresh_after: now.saturating_add(life / 2),
            refresh_token,
            refresh_expire: refresh_ends / 1000,
        })
    }

    fn refresh_ends(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add(i64::try_from(self.inner.refresh_ttl.as_millis()).unwrap_or(i64::MAX))
    }
}
