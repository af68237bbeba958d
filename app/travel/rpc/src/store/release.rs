use homestay_db::{Dialect, Tx};
use homestay_error::Result;
use sqlx::Row;
use sqlx::any::AnyRow;

/// What a hold has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) attempt: i64,
    pub(super) house_id: i64,
    pub(super) check_in: i64,
    pub(super) check_out: i64,
    pub(super) buffer_days: i64,
    pub(super) unit: i64,
    pub(super) meals: i64,
}

impl Holding {
    fn until(&self) -> i64 {
        self.check_out + self.buffer_days
    }
}

macro_rules! holding_columns {
    () => {
        "attempt, house_id, check_in, check_out, buffer_days, unit, meals"
    };
}

fn read(row: &AnyRow) -> Result<Holding, sqlx::Error> {
    Ok(Holding {
        attempt: row.try_get(0)?,
        house_id: row.try_get(1)?,
        check_in: row.try_get(2)?,
        check_out: row.try_get(3)?,
        buffer_days: row.try_get(4)?,
        unit: row.try_get(5)?,
        meals: row.try_get(6)?,
    })
}

/// Lets no other transaction change what the order holds until this one ends: what is passed from one hold to another depends
/// on all of them. SQLite has one writer.
pub(super) async fn lock(tx: &mut Tx, order_sn: &str) -> Result<()> {
    if tx.dialect() == Dialect::Postgres {
        sqlx::query("SELECT attempt FROM hold WHERE order_sn = $1 ORDER BY attempt FOR UPDATE")
            .bind(order_sn.to_owned())
            .fetch_all(&mut **tx)
            .await?;
    }
    Ok(())
}

/// What the order holds now, earlier attempts first.
pub(super) async fn live(tx: &mut Tx, order_sn: &str) -> Result<Vec<Holding>> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        holding_columns!(),
        " FROM hold WHERE order_sn = $1 AND state IN ('held', 'bound') ORDER BY attempt"
    ))
    .bind(order_sn.to_owned())
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Gives back nights and meals of an order's holds up to `attempt`, or of that one only, once. What another hold of the order
/// also covers passes to it. How many holds were released now.
pub(crate) async fn release(tx: &mut Tx, order_sn: &str, attempt: i64, only: bool) -> Result<i64> {
    lock(tx, order_sn).await?;
    let statement = if only {
        concat!(
            "UPDATE hold SET state = 'dropped' WHERE order_sn = $1 AND attempt = $2 AND state IN ('held', 'bound') RETURNING ",
            holding_columns!()
        )
    } else {
        concat!(
            "UPDATE hold SET state = 'released' WHERE order_sn = $1 AND attempt <= $2 AND state IN ('held', 'bound') RETURNING ",
            holding_columns!()
        )
    };
    let rows = sqlx::query(statement)
        .bind(order_sn.to_owned())
        .bind(attempt)
        .fetch_all(&mut **tx)
        .await?;
    give_back(tx, order_sn, &rows).await
}

/// Gives back nights and meals of a hold that no order has claimed, once. How many holds were released now.
pub(crate) async fn release_open(tx: &mut Tx, hold_key: String) -> Result<i64> {
    let row = sqlx::query("SELECT order_sn FROM hold WHERE hold_key = $1 AND state = 'held'")
        .bind(hold_key.clone())
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else {
        return Ok(0);
    };
    let order_sn: String = row.try_get(0)?;
    lock(tx, &order_sn).await?;
    let rows = sqlx::query(concat!(
        "UPDATE hold SET state = 'dropped' WHERE hold_key = $1 AND state = 'held' RETURNING ",
        holding_columns!()
    ))
    .bind(hold_key)
    .fetch_all(&mut **tx)
    .await?;
    give_back(tx, &order_sn, &rows).await
}

/// All nights first and then all meals, each in the order of days, as every other statement that takes or gives back does.
async fn give_back(tx: &mut Tx, order_sn: &str, rows: &[AnyRow]) -> Result<i64> {
    let mut released: Vec<Holding> = rows.iter().map(read).collect::<Result<_, _>>()?;
    if released.is_empty() {
        return Ok(0);
    }
    released.sort_by_key(|hold| (hold.check_in, hold.attempt));
    let live = live(tx, order_sn).await?;
    for hold in &released {
        for heir in live
            .iter()
            .filter(|heir| (heir.house_id, heir.unit) == (hold.house_id, hold.unit))
        {
            let shared = (hold.check_in.max(heir.check_in), hold.until().min(heir.until()));
            if shared.0 < shared.1 {
                pass_nights(tx, order_sn, hold, heir.attempt, shared).await?;
            }
        }
        free_nights(tx, order_sn, hold).await?;
    }
    for house_id in houses(&released) {
        let mine = |holds: &[Holding]| -> Vec<Holding> {
            let of = holds.iter().filter(|hold| hold.house_id == house_id);
            of.copied().collect()
        };
        let (gone, stays) = (mine(&released), mine(&live));
        let both: Vec<Holding> = gone.iter().chain(&stays).copied().collect();
        for (from, to, meals) in runs(&gone, |day| meals_on(&both, day) - meals_on(&stays, day)) {
            free_meals(tx, house_id, (from, to), meals).await?;
        }
    }
    Ok(i64::try_from(released.len()).unwrap_or(i64::MAX))
}

fn houses(holds: &[Holding]) -> Vec<i64> {
    let mut houses: Vec<i64> = holds.iter().map(|hold| hold.house_id).collect();
    houses.sort_unstable();
    houses.dedup();
    houses
}

/// Meals of a day that holds of one order take together: the most that one of them asks for.
pub(super) fn meals_on(holds: &[Holding], day: i64) -> i64 {
    let on = holds
        .iter()
        .filter(|hold| (hold.check_in..hold.check_out).contains(&day));
    on.map(|hold| hold.meals).max().unwrap_or(0)
}

/// Days of these holds' stays `[from, to)` with the same amount, where it is more than 0, in order.
pub(super) fn runs(holds: &[Holding], amount: impl Fn(i64) -> i64) -> Vec<(i64, i64, i64)> {
    let from = holds.iter().map(|hold| hold.check_in).min().unwrap_or(0);
    let to = holds.iter().map(|hold| hold.check_out).max().unwrap_or(0);
    let mut runs: Vec<(i64, i64, i64)> = Vec::new();
    for (day, amount) in (from..to).map(|day| (day, amount(day))).filter(|(_, n)| *n > 0) {
        match runs.last_mut() {
            Some((_, to, same)) if *to == day && *same == amount => *to += 1,
            _ => runs.push((day, day + 1, amount)),
        }
    }
    runs
}

/// Nights of a hold that another hold of the order covers too become that one's.
async fn pass_nights(
    tx: &mut Tx,
    order_sn: &str,
    hold: &Holding,
    heir: i64,
    (from, until): (i64, i64),
) -> Result<()> {
    sqlx::query(
        "UPDATE night SET attempt = $1 WHERE house_id = $2 AND unit = $3 AND day >= $4 AND day < $5 \
         AND order_sn = $6 AND attempt = $7",
    )
    .bind(heir)
    .bind(hold.house_id)
    .bind(hold.unit)
    .bind(from)
    .bind(until)
    .bind(order_sn.to_owned())
    .bind(hold.attempt)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Rows that others may want at the same time are locked in the order of their days, as taking them does: Postgres locks in the
/// order it finds them otherwise, and two could wait for each other.
pub(super) fn locking(tx: &Tx) -> &'static str {
    match tx.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE",
    }
}

async fn free_nights(tx: &mut Tx, order_sn: &str, hold: &Holding) -> Result<()> {
    let mut nights = tx.builder("WITH locked AS MATERIALIZED (SELECT day AS d FROM night WHERE house_id = ");
    nights
        .push_bind(hold.house_id)
        .push(" AND day >= ")
        .push_bind(hold.check_in)
        .push(" AND day < ")
        .push_bind(hold.until())
        .push(" AND unit = ")
        .push_bind(hold.unit)
        .push(" AND order_sn = ")
        .push_bind(order_sn.to_owned())
        .push(" AND attempt = ")
        .push_bind(hold.attempt)
        .push(" ORDER BY day")
        .push(locking(tx))
        .push(") DELETE FROM night WHERE house_id = ")
        .push_bind(hold.house_id)
        .push(" AND unit = ")
        .push_bind(hold.unit)
        .push(" AND day IN (SELECT d FROM locked)");
    nights.build().execute(&mut **tx).await?;
    Ok(())
}

async fn free_meals(tx: &mut Tx, house_id: i64, (from, to): (i64, i64), meals: i64) -> Result<()> {
    let mut given =
        tx.builder("WITH locked AS MATERIALIZED (SELECT day AS d FROM meal_day WHERE house_id = ");
    given
        .push_bind(house_id)
        .push(" AND day >= ")
        .push_bind(from)
        .push(" AND day < ")
        .push_bind(to)
        .push(" ORDER BY day")
        .push(locking(tx))
        .push(") UPDATE meal_day SET taken = taken - ")
        .push_bind(meals)
        .push(" WHERE house_id = ")
        .push_bind(house_id)
        .push(" AND day IN (SELECT d FROM locked)");
    given.build().execute(&mut **tx).await?;
    Ok(())
}
