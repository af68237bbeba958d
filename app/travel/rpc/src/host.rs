//! What a host decides about a house.

use homestay_db::Db;
use homestay_error::{Code, Error, Result};
use homestay_proto::common;
use homestay_proto::travel as pb;
use homestay_rpc::Actor;
use homestay_types::{date_of_number, day_number, parse_date};

use crate::house::House;
use crate::rules::terms::{DEAR, Discount, EVERY_DAY, Policy, Season, Terms, Window, Wrong};
use crate::store;

/// Days that a house can take out of sale.
const STOPPED: usize = 3000;

/// A house of the caller, who is a host or staff; any other looks unknown.
pub(crate) async fn house_of(db: &Db, actor: &Actor, id: i64) -> Result<House> {
    let house = store::house::find(db.read(), id).await?;
    house
        .filter(|house| actor.sees_all() || actor.hosts(house.host_id))
        .ok_or_else(|| Error::new(Code::HouseNotFound))
}

/// The rules of a house.
pub(crate) async fn rules(db: &Db, actor: &Actor, house_id: i64) -> Result<pb::HouseRules> {
    let house = house_of(db, actor, house_id).await?;
    let stop_sell = store::rules::stop_sell(db.read(), house_id).await?;
    Ok(to_wire(&house, &stop_sell))
}

/// Replaces the rules of a house. What is booked stays as it is.
///
/// # Errors
/// `INVALID_ARGUMENT` naming the field.
pub(crate) async fn set_rules(
    db: &Db,
    actor: &Actor,
    house_id: i64,
    rules: pb::HouseRules,
) -> Result<pb::HouseRules> {
    let mut house = house_of(db, actor, house_id).await?;
    if !(0..=DEAR).contains(&rules.weekend_cents) {
        return Err(Error::invalid("weekendPriceCents", "must not be negative"));
    }
    let stop_sell = days(&rules.stop_sell).map_err(|(field, what)| Error::invalid(field, what))?;
    house.weekend_cents = rules.weekend_cents;
    house.terms = terms(rules).map_err(|(field, what)| Error::invalid(field, what))?;
    let answer = to_wire(&house, &stop_sell);
    db.write(move |tx| Box::pin(async move { store::rules::write(tx, &house, &stop_sell).await }))
        .await?;
    Ok(answer)
}

fn date(field: &'static str, text: &str) -> Result<i64, Wrong> {
    parse_date(text)
        .map(day_number)
        .map_err(|_| (field, "must have dates of the form YYYY-MM-DD"))
}

/// The days of ranges, each once and in order.
fn days(ranges: &[pb::DayRange]) -> Result<Vec<i64>, Wrong> {
    let field = "stopSell";
    let mut days = Vec::new();
    for range in ranges {
        let (from, until) = (date(field, &range.from)?, date(field, &range.until)?);
        if from >= until {
            return Err((field, "must end after they begin"));
        }
        if days.len() + usize::try_from(until - from).unwrap_or(usize::MAX) > STOPPED {
            return Err((field, "must be at most 3000 days"));
        }
        days.extend(from..until);
    }
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// Rules from the wire, checked.
pub(crate) fn terms(rules: pb::HouseRules) -> Result<Terms, Wrong> {
    let all_days = |days: i64| if days == 0 { EVERY_DAY } else { days };
    let season = |season: pb::Season| {
        Ok::<_, Wrong>(Season {
            from: date("seasons", &season.from)?,
            until: date("seasons", &season.until)?,
            name: season.name,
            price_cents: season.price_cents,
            weekend_cents: season.weekend_cents,
            min_nights: season.min_nights,
        })
    };
    let terms = Terms {
        min_nights: rules.min_nights,
        max_nights: rules.max_nights,
        buffer_days: rules.buffer_days,
        arrival_weekdays: all_days(rules.arrival_weekdays),
        departure_weekdays: all_days(rules.departure_weekdays),
        advance_min_days: rules.advance_min_days,
        advance_max_days: rules.advance_max_days,
        check_in_minute: match rules.check_in_minute {
            0 => Terms::default().check_in_minute,
            minute => minute,
        },
        seasons: rules.seasons.into_iter().map(season).collect::<Result<_, _>>()?,
        discounts: rules
            .discounts
            .iter()
            .map(|discount| Discount {
                nights: discount.nights,
                percent: discount.percent,
            })
            .collect(),
        policy: policy(rules.policy),
    };
    terms.check()?;
    Ok(terms)
}

/// A preset may be named without its windows.
fn policy(policy: Option<common::CancellationPolicy>) -> Policy {
    let Some(policy) = policy else {
        return Policy::default();
    };
    if policy.windows.is_empty()
        && let Some(preset) = Policy::preset(&policy.name)
    {
        return preset;
    }
    let windows = policy.windows.iter().map(|window| Window {
        hours_before: window.hours_before,
        refund_percent: window.refund_percent,
    });
    Policy {
        windows: windows.collect(),
        name: policy.name,
    }
}

fn to_wire(house: &House, stop_sell: &[i64]) -> pb::HouseRules {
    let terms = &house.terms;
    let iso = |day: i64| date_of_number(day).to_string();
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for day in stop_sell {
        match ranges.last_mut() {
            Some((_, until)) if *until == *day => *until += 1,
            _ => ranges.push((*day, day + 1)),
        }
    }
    let ranges = ranges.into_iter().map(|(from, until)| pb::DayRange {
        from: iso(from),
        until: iso(until),
    });
    let seasons = terms.seasons.iter().map(|season| pb::Season {
        name: season.name.clone(),
        from: iso(season.from),
        until: iso(season.until),
        price_cents: season.price_cents,
        weekend_cents: season.weekend_cents,
        min_nights: season.min_nights,
    });
    let discounts = terms.discounts.iter().map(|discount| pb::Discount {
        nights: discount.nights,
        percent: discount.percent,
    });
    pb::HouseRules {
        min_nights: terms.min_nights,
        max_nights: terms.max_nights,
        buffer_days: terms.buffer_days,
        arrival_weekdays: terms.arrival_weekdays,
        departure_weekdays: terms.departure_weekdays,
        advance_min_days: terms.advance_min_days,
        advance_max_days: terms.advance_max_days,
        weekend_cents: house.weekend_cents,
        seasons: seasons.collect(),
        discounts: discounts.collect(),
        stop_sell: ranges.collect(),
        policy: Some(terms.policy.clone().into()),
        check_in_minute: terms.check_in_minute,
    }
}
