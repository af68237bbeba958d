use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;
use homestay_types::{Stay, day_number, parse_date};

use crate::host::house_of;
use crate::rules::{self, refusal, stock};
use crate::store;

/// Longest note, in characters.
const NOTE: usize = 255;

/// Nights of a unit that the owner keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: i64,
    pub(crate) house_id: i64,
    /// 0, as long as none is chosen.
    pub(crate) unit: i64,
    /// Day numbers `[from, until)`.
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) note: String,
    pub(crate) created_at_ms: i64,
}

/// What the owner wants to keep.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) house_id: i64,
    pub(crate) from: String,
    pub(crate) until: String,
    /// 0: any.
    pub(crate) unit: i64,
    pub(crate) note: String,
}

/// Blocks of a house that are not over.
pub(crate) async fn list(db: &Db, clock: &Clock, actor: &Actor, house_id: i64) -> Result<Vec<Block>> {
    let house = house_of(db, actor, house_id).await?;
    let today = rules::today(clock.now(), &house.zone()?);
    store::block::list(db.read(), house_id, today).await
}

/// Takes nights out of sale for the owner.
///
/// # Errors
/// `DATES_TAKEN` naming the night, where somebody has one of them.
pub(crate) async fn create(
    db: &Db,
    ids: &Ids,
    clock: &Clock,
    actor: &Actor,
    wanted: Wanted,
) -> Result<Block> {
    let house = house_of(db, actor, wanted.house_id).await?;
    let from = parse_date(&wanted.from).map_err(|what| Error::invalid("from", what))?;
    let until = parse_date(&wanted.until).map_err(|what| Error::invalid("until", what))?;
    Stay::new(from, until).map_err(|_| Error::invalid("until", "must be 1 to 180 nights after from"))?;
    let (from, until) = (day_number(from), day_number(until));
    if until <= rules::today(clock.now(), &house.zone()?) {
        return Err(Error::invalid("until", "must not be in the past"));
    }
    if !(0..=house.units).contains(&wanted.unit) {
        let what = format!("must be 1 to {}, which is how many the house has", house.units);
        return Err(Error::invalid("unit", what));
    }
    if wanted.note.chars().count() > NOTE {
        return Err(Error::invalid("note", "must have at most 255 characters"));
    }
    let block = Block {
        id: ids.id(),
        house_id: house.id,
        unit: wanted.unit,
        from,
        until,
        note: wanted.note,
        created_at_ms: clock.now_ms(),
    };
    let by = actor.user_id().unwrap_or(0);
    match take(db, block.clone(), house.units, by).await {
        Err(refused) if refused.code() == Code::DatesTaken => {
            let taken = store::stock::taken(db.read(), house.id, (from, until), "").await?;
            // One unit that was named is a house of one unit.
            let (units, taken) = match wanted.unit {
                0 => (house.units, taken),
                unit => {
                    let mut of_unit: Vec<_> = taken.into_iter().filter(|night| night.unit == unit).collect();
                    of_unit.iter_mut().for_each(|night| night.unit = 1);
                    (1, of_unit)
                }
            };
            let why = stock::refusals(units, &taken, (from, until), 0);
            Err(refusal::error(&why, "from").unwrap_or(refused))
        }
        outcome => outcome,
    }
}

/// As a hold takes its nights: again where another one took the chosen unit in between.
async fn take(db: &Db, block: Block, units: i64, by: i64) -> Result<Block> {
    let mut rounds = units;
    loop {
        let outrun = Arc::new(AtomicBool::new(false));
        let (mut block, flag) = (block.clone(), outrun.clone());
        let outcome = db
            .write(move |tx| {
                Box::pin(async move {
                    block.unit = store::block::choose(tx, &block, units).await?;
                    if block.unit == 0 {
                        return Err(Error::new(Code::DatesTaken));
                    }
                    if !store::block::take(tx, &block, by).await? {
                        flag.store(true, Ordering::Relaxed);
                        return Err(Error::new(Code::DatesTaken));
                    }
                    Ok(block)
                })
            })
            .await;
        rounds -= 1;
        if rounds < 1 || !outrun.load(Ordering::Relaxed) {
            return outcome;
        }
    }
}

/// Gives the nights of a block back.
///
/// # Errors
/// `NOT_FOUND` if the house has no such block.
pub(crate) async fn remove(db: &Db, actor: &Actor, house_id: i64, id: i64) -> Result<()> {
    house_of(db, actor, house_id).await?;
    let gone = db
        .write(move |tx| Box::pin(async move { store::block::remove(tx, house_id, id).await }))
        .await?;
    if gone {
        Ok(())
    } else {
        Err(Error::new(Code::NotFound))
    }
}
