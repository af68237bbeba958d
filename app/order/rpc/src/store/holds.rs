//! Rows of `hold_claim`: hold keys of travel that belong to an order, and tombstones of those that never will.

use std::collections::HashMap;

use homestay_db::Tx;
use homestay_error::{Error, Result};
use sqlx::{Any, Executor, Row};

use crate::books::Stage;
use crate::rules::State;

/// Whose a hold key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This order's.
    Order(String),
    /// Nobody's, for ever.
    Tombstone,
}

fn claim(order_sn: String) -> Claim {
    if order_sn.is_empty() {
        Claim::Tombstone
    } else {
        Claim::Order(order_sn)
    }
}

/// Claims a key for an order. `None` if that was done now, else whose it is.
pub(crate) async fn insert(tx: &mut Tx, hold_key: &str, order_sn: &str) -> Result<Option<Claim>> {
    let done =
        sqlx::query("INSERT INTO hold_claim (hold_key, order_sn) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(hold_key)
            .bind(order_sn)
            .execute(&mut **tx)
            .await?;
    if done.rows_affected() == 1 {
        return Ok(None);
    }
    find(&mut **tx, hold_key).await
}

/// Whose a key is, if it is known.
pub(crate) async fn find<'e>(db: impl Executor<'e, Database = Any>, hold_key: &str) -> Result<Option<Claim>> {
    let order_sn: Option<String> = sqlx::query_scalar("SELECT order_sn FROM hold_claim WHERE hold_key = $1")
        .bind(hold_key)
        .fetch_optional(db)
        .await?;
    Ok(order_sn.map(claim))
}

/// Makes tombstones of the keys that are unknown.
pub(crate) async fn bury(tx: &mut Tx, hold_keys: &[String]) -> Result<()> {
    let mut insert = tx.builder("INSERT INTO hold_claim (hold_key, order_sn) ");
    insert.push_values(hold_keys, |mut row, key| {
        row.push_bind(key.clone()).push_bind("");
    });
    insert.push(" ON CONFLICT DO NOTHING");
    insert.build().execute(&mut **tx).await?;
    Ok(())
}

/// The order behind a claimed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) order_sn: String,
    pub(crate) state: State,
    pub(crate) attempt: i64,
    pub(crate) change: Option<Changing>,
}

/// A change that is not done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changing {
    pub(crate) attempt: i64,
    pub(crate) from_attempt: i64,
    pub(crate) stage: Stage,
}

impl Changing {
    /// Whether it, and nobody else, gives the hold of `attempt` back.
    pub(crate) fn keeps(self, attempt: i64) -> bool {
        match self.stage {
            Stage::Asked | Stage::Held | Stage::Dropped => attempt == self.attempt,
            Stage::Applied => attempt == self.from_attempt,
            Stage::Refused => false,
        }
    }
}

/// The orders behind those of the keys that are claimed.
pub(crate) async fn owners(tx: &mut Tx, hold_keys: &[String]) -> Result<HashMap<String, Owner>> {
    let mut select = tx.builder(
        "SELECT c.hold_key, o.sn, o.state, o.cancelled_by, o.attempt, COALESCE(g.attempt, 0), \
         COALESCE(g.from_attempt, 0), COALESCE(g.state, '') FROM hold_claim c \
         JOIN orders o ON o.sn = c.order_sn \
         LEFT JOIN order_change g ON g.order_sn = o.sn AND g.attempt = o.change_attempt WHERE c.hold_key IN (",
    );
    let mut list = select.separated(", ");
    for key in hold_keys {
        list.push_bind(key.clone());
    }
    select.push(")");
    let rows = select.build().fetch_all(&mut **tx).await?;
    rows.into_iter()
        .map(|row| {
            let (name, by): (String, String) = (row.try_get(2)?, row.try_get(3)?);
            let owner = Owner {
                order_sn: row.try_get(1)?,
                state: State::read(&name, &by)
                    .ok_or_else(|| Error::internal(format!("no state {name:?} by {by:?}")))?,
                attempt: row.try_get(4)?,
                change: {
                    let stage: String = row.try_get(7)?;
                    let (attempt, from_attempt) = (row.try_get(5)?, row.try_get(6)?);
                    Stage::read(&stage).map(|stage| Changing {
                        attempt,
                        from_attempt,
                        stage,
                    })
                },
            };
            Ok((row.try_get(0)?, owner))
        })
        .collect()
}
