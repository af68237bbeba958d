use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use homestay_clock::Clock;
use homestay_db::{Db, Tx};
use homestay_error::{Code, Error, Result};
use homestay_types::{OrderSn, Stay, day_number, midnight_s};

use crate::availability;
use crate::house::House;
use crate::quote::{Quote, quote};
use crate::rules::{self, Dates, refusal};
use crate::store::{
    self,
    hold::{NewHold, StoredHold, Taken},
};

/// What an order asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) hold_key: String,
    pub(crate) fingerprint: String,
    pub(crate) order_sn: OrderSn,
    pub(crate) attempt: i64,
    pub(crate) house_id: i64,
    pub(crate) dates: Dates,
    pub(crate) guests: i64,
    pub(crate) meals: bool,
    /// 0: any.
    pub(crate) expected_total_cents: i64,
    /// False: the nights of an earlier attempt are taken again, at its price.
    pub(crate) new_booking: bool,
    /// An earlier attempt: of a new booking, the one that it is a change of and that stays whole beside it; else the one that
    /// is taken again. 0: none, and the latest.
    pub(crate) change_of_attempt: i64,
}

/// What an order got.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) order_sn: OrderSn,
    pub(crate) house: House,
    pub(crate) quote: Quote,
    pub(crate) unit: i64,
    pub(crate) repeated: bool,
}

/// What the transaction found.
enum Outcome {
    Taken(i64),
    Known(StoredHold),
}

/// Takes nights and meals for an order, all or nothing, and answers with house and price as they are kept.
///
/// A key that is known is answered as it was the first time, whatever has changed since.
pub(crate) async fn hold(db: &Db, clock: &Clock, ask: Ask) -> Result<Held> {
    match try_hold(db, clock, &ask).await {
        // What was booked under this key may not be bookable any more. Other errors are not worth asking for.
        Err(refusal) if !refusal.code().is_transient() => {
            match store::hold::find(db.read(), &ask.hold_key).await? {
                Some(known) => replay(&ask, &known),
                None => Err(refusal),
            }
        }
        outcome => outcome,
    }
}

async fn try_hold(db: &Db, clock: &Clock, ask: &Ask) -> Result<Held> {
    let (house, quote, new) = if ask.new_booking {
        priced(db, clock, ask).await?
    } else {
        again(db, clock, ask).await?
    };
    let (nights, meals) = ((new.check_in, new.check_out), new.meals);
    let outcome = match take(db, new).await {
        Err(refused) if matches!(refused.code(), Code::DatesTaken | Code::MealsSoldOut) => {
            return Err(named(db, ask, &house, nights, meals, refused).await);
        }
        outcome => outcome?,
    };
    match outcome {
        Outcome::Taken(unit) => Ok(Held {
            order_sn: ask.order_sn.clone(),
            house,
            quote,
            unit,
            repeated: false,
        }),
        Outcome::Known(known) => replay(ask, &known),
    }
}

/// The refusal with the rule and the night that it is about, if they can still be seen.
async fn named(db: &Db, ask: &Ask, house: &House, nights: (i64, i64), meals: i64, refused: Error) -> Error {
    let but = if ask.change_of_attempt > 0 {
        ask.order_sn.as_str()
    } else {
        ""
    };
    let why = availability::in_stock(db, house, nights, meals, but).await;
    why.ok()
        .and_then(|why| {
            // What this refusal is about comes first; the rest may have come about since.
            let (mut about, others): (Vec<_>, Vec<_>) = why
                .into_iter()
                .partition(|refusal| refusal.rule.code() == refused.code());
            if about.is_empty() {
                return None;
            }
            about.extend(others);
            refusal::error(&about, ask.dates.start_field())
        })
        .unwrap_or(refused)
}

/// A booking by today's rules and prices.
async fn priced(db: &Db, clock: &Clock, ask: &Ask) -> Result<(House, Quote, NewHold)> {
    let (house, stay, quote) = evaluate(db, clock, ask.house_id, &ask.dates, ask.guests, ask.meals).await?;
    if ask.expected_total_cents != 0 && ask.expected_total_cents != quote.total_cents {
        let details = serde_json::to_value(&quote).map_err(Error::internal)?;
        return Err(Error::new(Code::PriceChanged).details(details));
    }
    let new = NewHold {
        hold_key: ask.hold_key.clone(),
        fingerprint: ask.fingerprint.clone(),
        order_sn: ask.order_sn.clone(),
        attempt: ask.attempt,
        house_id: house.id,
        shop_id: house.shop_id,
        check_in: day_number(stay.check_in()),
        check_out: day_number(stay.check_out()),
        buffer_days: house.terms.buffer_days,
        starts_at_ms: midnight_s(stay.check_in(), &house.zone()?).saturating_mul(1000),
        units: house.units,
        meals: if ask.meals { ask.guests } else { 0 },
        meals_per_day: house.meals_per_day,
        snapshot: snapshot(&house)?,
        quote: serde_json::to_string(&quote).map_err(Error::internal)?,
        now_ms: clock.now_ms(),
        beside: ask.change_of_attempt,
        pivot: 1,
    };
    Ok((house, quote, new))
}

/// The nights of the order's earlier attempt, as they were sold then. Only stock is asked again.
async fn again(db: &Db, clock: &Clock, ask: &Ask) -> Result<(House, Quote, NewHold)> {
    let earlier = store::hold::find_earlier(db.read(), &ask.order_sn, ask.attempt, ask.change_of_attempt)
        .await?
        .ok_or_else(|| Error::with(Code::NotFound, "the order has no earlier attempt"))?;
    let (house, quote) = kept(&earlier)?;
    // What can be sold may have grown or shrunk since.
    let current = store::house::find(db.read(), house.id)
        .await?
        .ok_or_else(|| Error::new(Code::HouseNotFound))?;
    let new = NewHold {
        hold_key: ask.hold_key.clone(),
        fingerprint: ask.fingerprint.clone(),
        order_sn: ask.order_sn.clone(),
        attempt: ask.attempt,
        house_id: house.id,
        shop_id: house.shop_id,
        check_in: earlier.check_in,
        check_out: earlier.check_out,
        buffer_days: earlier.buffer_days,
        starts_at_ms: earlier.starts_at_ms,
        units: current.units,
        meals: earlier.meals,
        meals_per_day: current.meals_per_day,
        snapshot: earlier.snapshot,
        quote: earlier.quote,
        now_ms: clock.now_ms(),
        beside: 0,
        pivot: 1,
    };
    Ok((house, quote, new))
}

/// The house as a hold keeps it. Prices and lengths are in the quote, so that seasons and discounts need not be kept with each.
fn snapshot(house: &House) -> Result<String> {
    let mut kept = house.clone();
    kept.terms.seasons.clear();
    kept.terms.discounts.clear();
    serde_json::to_string(&kept).map_err(Error::internal)
}

/// House, stay and price of a booking that the rules allow; stock is not asked.
pub(crate) async fn evaluate(
    db: &Db,
    clock: &Clock,
    house_id: i64,
    dates: &Dates,
    guests: i64,
    meals: bool,
) -> Result<(House, Stay, Quote)> {
    rules::some_guests(guests)?;
    let (house, days) = store::house::find_with_days(db.read(), house_id, dates.around())
        .await?
        .ok_or_else(|| Error::new(Code::HouseNotFound))?;
    let zone = house.zone()?;
    let stay = dates.stay(&zone)?;
    let today = rules::today(clock.now(), &zone);
    rules::bookable(&house, &days, &stay, dates.start_field(), guests, meals, today)?;
    let quote = quote(&house, &days, &stay, guests, meals)?;
    Ok((house, stay, quote))
}

/// One transaction, repeated when another one took the chosen unit in between. SQLite has one writer, so that only Postgres
/// repeats; each round another unit is gone. Whoever was outrun begins with a unit of its own, so that the many do not all run for
/// the next one.
async fn take(db: &Db, mut new: NewHold) -> Result<Outcome> {
    let mut rounds = new.units;
    loop {
        let outrun = Arc::new(AtomicBool::new(false));
        let (hold, flag) = (new.clone(), outrun.clone());
        let outcome = if new.attempt > 1 {
            db.write(move |tx| Box::pin(async move { take_once(tx, &hold, &flag).await }))
                .await
        } else {
            db.write_one(move |tx| Box::pin(async move { take_once(tx, &hold, &flag).await }))
                .await
        };
        rounds -= 1;
        if rounds < 1 || !outrun.load(Ordering::Relaxed) {
            return outcome;
        }
        let key = new
            .hold_key
            .bytes()
            .fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        new.pivot = 1 + i64::from(key) % new.units;
    }
}

async fn take_once(tx: &mut Tx, hold: &NewHold, outrun: &AtomicBool) -> Result<Outcome> {
    match store::hold::take(tx, hold).await? {
        Taken::Unit(unit) => Ok(Outcome::Taken(unit)),
        Taken::Known(known) => Ok(Outcome::Known(known)),
        Taken::NoUnit => Err(Error::new(Code::DatesTaken)),
        Taken::Outrun => {
            outrun.store(true, Ordering::Relaxed);
            Err(Error::new(Code::DatesTaken))
        }
        Taken::NoMeals => Err(Error::new(Code::MealsSoldOut)),
    }
}

/// The answer to a key that was used before.
fn replay(ask: &Ask, known: &StoredHold) -> Result<Held> {
    if known.fingerprint != ask.fingerprint {
        return Err(Error::new(Code::IdempotencyKeyReused));
    }
    if known.released {
        return Err(Error::new(Code::IdempotencyKeyExpired));
    }
    let (house, quote) = kept(known)?;
    Ok(Held {
        order_sn: known.order_sn.clone(),
        house,
        quote,
        unit: known.unit,
        repeated: true,
    })
}

fn kept(hold: &StoredHold) -> Result<(House, Quote)> {
    Ok((
        serde_json::from_str(&hold.snapshot).map_err(Error::internal)?,
        serde_json::from_str(&hold.quote).map_err(Error::internal)?,
    ))
}
