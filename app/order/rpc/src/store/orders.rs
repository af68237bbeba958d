//! Rows of `orders`: written once, read by number, key, owner or what is due.

use homestay_db::{QueryBuilder, Tx};
use homestay_error::{Error, Result};
use homestay_types::OrderSn;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, FromRow, Row};

use crate::order::{HouseSnapshot, Order};
use crate::policy::Policy;
use crate::rules::State;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, sn, hold_key, fingerprint, user_id, house_id, shop_id, host_id, title, sub_title, cover, info, \
             people_num, row_type, food_info, food_cents, price_cents, market_cents, time_zone, check_in_day, \
             check_out_day, guests, meals, remark, unit, attempt, currency, room_cents, meal_cents, total_cents, lines, \
             state, cancelled_by, created_at_ms, pay_before_ms, trade_code, paid_at_ms, payment_sn, pay_type, \
             released_at_ms, cancel_requested_at_ms, cancel_reason, cancel_requested_by, policy, check_in_minute, \
             check_in_at_ms, last_attempt, charge, change_attempt, charged_cents, refund_cents, kept_cents, settled_at_ms, \
             ended_by, refund_percent_cap FROM orders ",
            $rest
        )
    };
}

/// Reads the columns of `select!` in their order.
impl<'r> FromRow<'r, AnyRow> for Order {
    fn from_row(row: &'r AnyRow) -> Result<Self, sqlx::Error> {
        let mut columns = Columns { row, next: 0 };
        let c = &mut columns;
        let (id, sn) = (c.int()?, c.text()?);
        let (hold_key, fingerprint, user_id) = (c.text()?, c.text()?, c.int()?);
        let house = HouseSnapshot {
            id: c.int()?,
            shop_id: c.int()?,
            host_id: c.int()?,
            title: c.text()?,
            sub_title: c.text()?,
            cover: c.text()?,
            info: c.text()?,
            people_num: c.int()?,
            row_type: c.int()?,
            food_info: c.text()?,
            food_cents: c.int()?,
            price_cents: c.int()?,
            market_cents: c.int()?,
            time_zone: c.text()?,
        };
        Ok(Self {
            id,
            sn: sn.parse().map_err(undecodable)?,
            hold_key,
            fingerprint,
            user_id,
            house,
            check_in_day: c.int()?,
            check_out_day: c.int()?,
            guests: c.int()?,
            meals: c.int()? != 0,
            remark: c.text()?,
            unit: c.int()?,
            attempt: c.int()?,
            currency: c.text()?,
            room_cents: c.int()?,
            meal_cents: c.int()?,
            total_cents: c.int()?,
            lines: serde_json::from_str(&c.text()?).map_err(undecodable)?,
            state: {
                let (name, by) = (c.text()?, c.text()?);
                State::read(&name, &by).ok_or_else(|| undecodable(format!("no state {name:?} by {by:?}")))?
            },
            created_at_ms: c.int()?,
            pay_before_ms: c.int()?,
            trade_code: c.text()?,
            paid_at_ms: c.int()?,
            payment_sn: c.text()?,
            pay_type: c.text()?,
            released_at_ms: c.int()?,
            cancel_requested_at_ms: c.int()?,
            cancel_reason: c.text()?,
            cancel_requested_by: c.text()?,
            policy: match c.text()?.as_str() {
                "" => Policy::flexible(),
                json => serde_json::from_str(json).map_err(undecodable)?,
            },
            check_in_minute: c.int()?,
            check_in_at_ms: c.int()?,
            last_attempt: c.int()?,
            charge: c.int()?,
            change_attempt: c.int()?,
            charged_cents: c.int()?,
            refund_cents: c.int()?,
            kept_cents: c.int()?,
            settled_at_ms: c.int()?,
            ended_by: c.text()?,
            refund_percent_cap: c.int()?,
        })
    }
}

struct Columns<'r> {
    row: &'r AnyRow,
    next: usize,
}

impl Columns<'_> {
    fn int(&mut self) -> Result<i64, sqlx::Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    fn text(&mut self) -> Result<String, sqlx::Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }
}

fn undecodable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(cause.into())
}

/// The order with this number.
pub(crate) async fn by_sn<'e>(db: impl Executor<'e, Database = Any>, sn: &str) -> Result<Option<Order>> {
    Ok(sqlx::query_as(select!("WHERE sn = $1"))
        .bind(sn)
        .fetch_optional(db)
        .await?)
}

/// The order whose first hold had this key.
pub(crate) async fn by_hold_key<'e>(
    db: impl Executor<'e, Database = Any>,
    hold_key: &str,
) -> Result<Option<Order>> {
    Ok(sqlx::query_as(select!("WHERE hold_key = $1"))
        .bind(hold_key)
        .fetch_optional(db)
        .await?)
}

/// Longest list.
pub(crate) const MOST: i64 = 101;

/// A user's orders below `last_id` (0: all), newest first, at most `limit` (1 to [`MOST`]); of all states if `names` is
/// empty, else of these two at most.
///
/// Limits are literals of a few sizes (a page of 10 or 20 and the row that tells of the next, and the longest): as a parameter
/// they make Postgres plan on every call.
pub(crate) async fn of_user<'e>(
    db: impl Executor<'e, Database = Any>,
    user_id: i64,
    last_id: i64,
    names: &[&'static str],
    limit: i64,
) -> Result<Vec<Order>> {
    let below = if last_id > 0 { last_id } else { i64::MAX };
    let query = match names {
        [] => sqlx::query_as(match limit {
            ..=11 => select!("WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT 11"),
            12..=21 => select!("WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT 21"),
            _ => select!("WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT 101"),
        })
        .bind(user_id)
        .bind(below),
        [one, ..] => sqlx::query_as(match limit {
            ..=11 => {
                select!("WHERE user_id = $1 AND id < $2 AND state IN ($3, $4) ORDER BY id DESC LIMIT 11")
            }
            12..=21 => {
                select!("WHERE user_id = $1 AND id < $2 AND state IN ($3, $4) ORDER BY id DESC LIMIT 21")
            }
            _ => select!("WHERE user_id = $1 AND id < $2 AND state IN ($3, $4) ORDER BY id DESC LIMIT 101"),
        })
        .bind(user_id)
        .bind(below)
        .bind(*one)
        .bind(*names.last().unwrap_or(one)),
    };
    let mut orders: Vec<Order> = query.fetch_all(db).await?;
    orders.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(orders)
}

/// Writes a new order.
pub(super) async fn insert(tx: &mut Tx, order: &Order) -> Result<()> {
    let mut insert = tx.builder(format!("INSERT INTO orders ({COLUMNS}) VALUES ("));
    bind_columns(&mut insert, order)?;
    insert.push(")");
    insert.build().execute(&mut **tx).await?;
    Ok(())
}

/// Columns of a new order, in the order of [`bind_columns`].
pub(super) const COLUMNS: &str = "id, sn, hold_key, fingerprint, user_id, house_id, shop_id, host_id, title, sub_title, cover, \
     info, people_num, row_type, food_info, food_cents, price_cents, market_cents, time_zone, check_in_day, check_out_day, \
     guests, meals, remark, unit, attempt, currency, room_cents, meal_cents, total_cents, lines, state, created_at_ms, \
     pay_before_ms, updated_at_ms, policy, check_in_minute, check_in_at_ms, trade_code, paid_at_ms";

pub(super) fn bind_columns(statement: &mut QueryBuilder, order: &Order) -> Result<()> {
    let (o, house) = (order, &order.house);
    let lines = serde_json::to_string(&o.lines).map_err(Error::internal)?;
    let policy = serde_json::to_string(&o.policy).map_err(Error::internal)?;
    statement
        .separated(", ")
        .push_bind(o.id)
        .push_bind(o.sn.as_str().to_owned())
        .push_bind(o.hold_key.clone())
        .push_bind(o.fingerprint.clone())
        .push_bind(o.user_id)
        .push_bind(house.id)
        .push_bind(house.shop_id)
        .push_bind(house.host_id)
        .push_bind(house.title.clone())
        .push_bind(house.sub_title.clone())
        .push_bind(house.cover.clone())
        .push_bind(house.info.clone())
        .push_bind(house.people_num)
        .push_bind(house.row_type)
        .push_bind(house.food_info.clone())
        .push_bind(house.food_cents)
        .push_bind(house.price_cents)
        .push_bind(house.market_cents)
        .push_bind(house.time_zone.clone())
        .push_bind(o.check_in_day)
        .push_bind(o.check_out_day)
        .push_bind(o.guests)
        .push_bind(i64::from(o.meals))
        .push_bind(o.remark.clone())
        .push_bind(o.unit)
        .push_bind(o.attempt)
        .push_bind(o.currency.clone())
        .push_bind(o.room_cents)
        .push_bind(o.meal_cents)
        .push_bind(o.total_cents)
        .push_bind(lines)
        .push_bind(o.state.name())
        .push_bind(o.created_at_ms)
        .push_bind(o.pay_before_ms)
        .push_bind(o.created_at_ms)
        .push_bind(policy)
        .push_bind(o.check_in_minute)
        .push_bind(o.check_in_at_ms)
        .push_bind(o.trade_code.clone())
        .push_bind(o.paid_at_ms);
    Ok(())
}

/// Orders of each kind that a sweep takes, as its statements say.
pub(crate) const OF_EACH: usize = 34;

/// Numbers of orders that are overdue at `now_ms`: unpaid for longer than allowed, ended with their nights still held,
/// refunded for a minute without an end, with a change that is not done with, a refund that payment-rpc does not know of, or
/// kept money it was not told of. At most [`OF_EACH`] of each kind, those first that were not looked at for longest,
/// and one of each kind in turn: whatever time a sweep has, no kind starves another.
pub(crate) async fn overdue<'e, E>(db: E, now_ms: i64) -> Result<Vec<OrderSn>>
where
    E: Executor<'e, Database = Any> + Copy,
{
    let kinds = [
        (
            "SELECT sn FROM orders WHERE state = 'awaiting_payment' AND pay_before_ms < $1 \
             ORDER BY updated_at_ms, pay_before_ms LIMIT 34",
            now_ms - 5_000,
        ),
        (
            "SELECT sn FROM orders WHERE released_at_ms = 0 AND state IN ('cancelled', 'refund_pending', 'refunded') \
             AND updated_at_ms < $1 ORDER BY updated_at_ms LIMIT 34",
            now_ms - 5_000,
        ),
        (
            "SELECT sn FROM orders WHERE state = 'refund_pending' AND updated_at_ms < $1 \
             ORDER BY updated_at_ms LIMIT 34",
            now_ms - 60_000,
        ),
        (
            "SELECT order_sn FROM order_change WHERE released_at_ms = 0 AND look_at_ms < $1 ORDER BY look_at_ms LIMIT 34",
            now_ms - 5_000,
        ),
        (
            "SELECT order_sn FROM order_refund WHERE asked_at_ms = 0 AND look_at_ms < $1 ORDER BY look_at_ms LIMIT 34",
            now_ms - 5_000,
        ),
        (
            "SELECT sn FROM orders WHERE kept_cents > 0 AND settled_at_ms = 0 AND updated_at_ms < $1 \
             ORDER BY updated_at_ms LIMIT 34",
            now_ms - 5_000,
        ),
    ];
    let mut found = Vec::with_capacity(kinds.len());
    for (sql, before) in kinds {
        let sns: Vec<String> = sqlx::query_scalar(sql).bind(before).fetch_all(db).await?;
        found.push(sns);
    }
    let mut turns: Vec<OrderSn> = Vec::new();
    for nth in 0..OF_EACH {
        for sn in found.iter().filter_map(|kind| kind.get(nth)) {
            let sn: OrderSn = sn.parse().map_err(Error::internal)?;
            if !turns.contains(&sn) {
                turns.push(sn);
            }
        }
    }
    Ok(turns)
}

/// Paid orders whose telling began between these times and has not ended, with whether guest and host were told. The telling
/// of an order that is paid is its attempt's step.
pub(crate) async fn untold<'e>(
    db: impl Executor<'e, Database = Any>,
    from_ms: i64,
    until_ms: i64,
) -> Result<Vec<(OrderSn, bool, bool)>> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT o.sn, o.guest_told_at_ms, o.host_told_at_ms FROM order_step s JOIN orders o ON o.sn = s.order_sn \
         WHERE s.name = 'Post-Processing' AND s.ended_at_ms = 0 AND s.undo_started_at_ms = 0 \
         AND s.started_at_ms >= $1 AND s.started_at_ms < $2 AND s.attempt = o.attempt \
         AND o.state IN ('confirmed', 'used', 'expired') ORDER BY s.started_at_ms LIMIT 34",
    )
    .bind(from_ms)
    .bind(until_ms)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(sn, guest, host)| Ok((sn.parse().map_err(Error::internal)?, guest > 0, host > 0)))
        .collect()
}
