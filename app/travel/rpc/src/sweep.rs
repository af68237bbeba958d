use std::time::Duration;

use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Error, Result};
use homestay_proto::order::order_client::OrderClient;
use homestay_proto::order::resolve_holds_reply::Verdict;
use homestay_proto::order::{HoldRef, ResolveHoldsRequest};
use homestay_proto::travel::SweepHoldsReply;
use homestay_rpc::{Channel, deadline};

use crate::Config;
use crate::store::{self, hold::OpenHold};

/// Less time than this is left for no further batch.
const ENOUGH: Duration = Duration::from_millis(500);

/// Asks the order service about holds that no order has claimed, and does what it says. Without its word nothing is
/// released: an order may be on its way.
pub(crate) async fn sweep(
    db: &Db,
    clock: &Clock,
    orders: &OrderClient<Channel>,
    config: &Config,
) -> Result<SweepHoldsReply> {
    let age = i64::try_from(config.ask_after.as_millis()).unwrap_or(i64::MAX);
    let until_ms = clock.now_ms().saturating_sub(age);
    let mut done = SweepHoldsReply::default();
    // Holds that must wait are stepped over, so that they do not keep the others waiting.
    let mut after = (i64::MIN, String::new());
    loop {
        let holds = store::hold::open(db.read(), until_ms, &after).await?;
        let Some(last) = holds.last() else {
            return Ok(done);
        };
        after = (last.created_at_ms, last.hold_key.clone());
        let verdicts = ask(orders, &holds).await?;
        let (bound, released) = apply(db, holds, verdicts).await?;
        done.bound += bound;
        done.released += released;
        if deadline::left().is_some_and(|left| left < ENOUGH) {
            return Ok(done);
        }
    }
}

async fn ask(orders: &OrderClient<Channel>, holds: &[OpenHold]) -> Result<Vec<Verdict>> {
    let refs = holds.iter().map(|hold| HoldRef {
        hold_key: hold.hold_key.clone(),
        order_sn: hold.order_sn.clone(),
        attempt: hold.attempt,
    });
    let request = ResolveHoldsRequest {
        holds: refs.collect(),
    };
    let reply = orders.clone().resolve_holds(request).await?.into_inner();
    if reply.verdicts.len() != holds.len() {
        return Err(Error::internal("as many verdicts as holds were asked for"));
    }
    // A verdict that this version does not know is no reason to touch anything.
    Ok(reply
        .verdicts
        .into_iter()
        .map(|verdict| Verdict::try_from(verdict).unwrap_or(Verdict::Wait))
        .collect())
}

async fn apply(db: &Db, holds: Vec<OpenHold>, verdicts: Vec<Verdict>) -> Result<(i64, i64)> {
    let mut bind = Vec::new();
    let mut release = Vec::new();
    for (hold, verdict) in holds.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Bind => bind.push(hold.hold_key),
            Verdict::Release => release.push(hold.hold_key),
            Verdict::Wait => {}
        }
    }
    let bound = if bind.is_empty() {
        0
    } else {
        db.write(move |tx| Box::pin(async move { store::hold::bind(tx, bind).await }))
            .await?
    };
    // A transaction each: within one, nights and meals are locked in the order of their days, and holds come in another.
    let mut released = 0;
    for hold_key in release {
        released += db
            .write(move |tx| Box::pin(async move { store::release::release_open(tx, hold_key).await }))
            .await?;
    }
    Ok((bound, released))
}
