//! What domains say of the same booking: orders page by page with their holds and payments, then holds and payments that no
//! order has.

use std::collections::{BTreeSet, HashMap, HashSet};

use homestay_clock::Clock;
use serde_json::Value;
use sqlx::any::AnyRow;

use super::booking::{
    Booking, Hold, Order, OrderPayment, OrderRefund, Payment, Refund, TOO_MUCH, disagreements,
};
use super::source::{Sources, column};
use super::{Finding, Look};
use crate::targets::Domain;

/// Rows a page.
const PAGE: usize = 500;

/// Adds what it finds.
///
/// # Errors
/// A sentence naming the database that cannot be read.
pub async fn check_all(sources: &mut Sources, look: &mut Look) -> Result<(), String> {
    let mut last = 0_i64;
    loop {
        let sql = "SELECT id, sn, state, house_id, unit, attempt, check_in_day, check_out_day, total_cents, lines, \
                   charged_cents, refund_cents, kept_cents, settled_at_ms FROM orders WHERE id > $1 ORDER BY id LIMIT 500";
        let rows = sources.rows(Domain::Order, sqlx::query(sql).bind(last)).await?;
        let Some(end) = rows.last() else { break };
        last = column(end, "id")?;
        page(sources, &rows, look).await?;
        if rows.len() < PAGE {
            break;
        }
    }
    let before_ms = Clock::system().now_ms() - CLAIMED_WITHIN_MS;
    orphans(sources, look, &HOLDS, before_ms).await?;
    orphans(sources, look, &PAYMENTS, before_ms).await
}

async fn page(sources: &mut Sources, rows: &[AnyRow], look: &mut Look) -> Result<(), String> {
    let mut bookings: HashMap<String, Booking> = HashMap::new();
    for row in rows {
        let order = order(row)?;
        bookings.insert(
            order.sn.clone(),
            Booking {
                order,
                ..Booking::default()
            },
        );
    }
    let sns: Vec<String> = bookings.keys().cloned().collect();
    *look.seen.entry("orders").or_default() += sns.len() as u64;

    let sql = "SELECT order_sn, payment_sn, amount_cents, back_cents FROM order_payment WHERE order_sn IN {}";
    for row in sources.rows_in(Domain::Order, sql, &sns).await? {
        let booking = bookings.get_mut(&column::<String>(&row, "order_sn")?);
        booking.expect("asked for").order.payments.push(OrderPayment {
            payment_sn: column(&row, "payment_sn")?,
            amount_cents: column(&row, "amount_cents")?,
            back_cents: column(&row, "back_cents")?,
        });
    }
    let sql = "SELECT order_sn, payment_sn, refund_key, amount_cents FROM order_refund WHERE order_sn IN {}";
    for row in sources.rows_in(Domain::Order, sql, &sns).await? {
        let booking = bookings.get_mut(&column::<String>(&row, "order_sn")?);
        booking.expect("asked for").order.refunds.push(OrderRefund {
            payment_sn: column(&row, "payment_sn")?,
            key: column(&row, "refund_key")?,
            amount_cents: column(&row, "amount_cents")?,
        });
    }
    let sql = "SELECT order_sn, attempt, from_attempt FROM order_change WHERE released_at_ms = 0 AND order_sn IN {}";
    for row in sources.rows_in(Domain::Order, sql, &sns).await? {
        let booking = bookings.get_mut(&column::<String>(&row, "order_sn")?);
        let attempts: [i64; 2] = [column(&row, "attempt")?, column(&row, "from_attempt")?];
        booking.expect("asked for").order.open_attempts.extend(attempts);
    }
    let sql = "SELECT order_sn, attempt, house_id, unit, check_in, check_out FROM hold \
               WHERE state IN ('held', 'bound') AND order_sn IN {}";
    for row in sources.rows_in(Domain::Travel, sql, &sns).await? {
        *look.seen.entry("holds").or_default() += 1;
        let booking = bookings.get_mut(&column::<String>(&row, "order_sn")?);
        booking.expect("asked for").holds.push(Hold {
            attempt: column(&row, "attempt")?,
            house_id: column(&row, "house_id")?,
            unit: column(&row, "unit")?,
            check_in: column(&row, "check_in")?,
            check_out: column(&row, "check_out")?,
        });
    }
    for (order_sn, payment) in payments(sources, &sns).await? {
        *look.seen.entry("payments").or_default() += 1;
        *look.seen.entry("refunds").or_default() += payment.refunds.len() as u64;
        let booking = bookings.get_mut(&order_sn);
        booking.expect("asked for").payments.push(payment);
    }
    for (sn, booking) in &bookings {
        for (kind, detail) in disagreements(booking) {
            let subject = sn.clone();
            look.findings.insert(Finding {
                kind,
                subject,
                detail,
            });
        }
    }
    Ok(())
}

fn order(row: &AnyRow) -> Result<Order, String> {
    let lines: String = column(row, "lines")?;
    let lines: Value = serde_json::from_str(&lines).map_err(|error| format!("an order's lines: {error}"))?;
    let cents = lines.as_array().into_iter().flatten();
    Ok(Order {
        sn: column(row, "sn")?,
        state: column(row, "state")?,
        house_id: column(row, "house_id")?,
        unit: column(row, "unit")?,
        attempt: column(row, "attempt")?,
        check_in_day: column(row, "check_in_day")?,
        check_out_day: column(row, "check_out_day")?,
        total_cents: column(row, "total_cents")?,
        lines_cents: cents.filter_map(|line| line["totalCents"].as_i64()).sum(),
        charged_cents: column(row, "charged_cents")?,
        refund_cents: column(row, "refund_cents")?,
        kept_cents: column(row, "kept_cents")?,
        settled: column::<i64>(row, "settled_at_ms")? > 0,
        ..Order::default()
    })
}

/// The payments of orders with their refunds, and whether a person was told of them.
async fn payments(sources: &mut Sources, order_sns: &[String]) -> Result<Vec<(String, Payment)>, String> {
    let sql = "SELECT order_sn, sn, state, amount_cents, refunded_cents, refund_reserved_cents FROM payment \
               WHERE order_sn IN {} ORDER BY id";
    let rows = sources.rows_in(Domain::Payment, sql, order_sns).await?;
    let mut found = Vec::new();
    for row in rows {
        let payment = Payment {
            sn: column(&row, "sn")?,
            state: column(&row, "state")?,
            amount_cents: column(&row, "amount_cents")?,
            refunded_cents: column(&row, "refunded_cents")?,
            reserved_cents: column(&row, "refund_reserved_cents")?,
            ..Payment::default()
        };
        found.push((column(&row, "order_sn")?, payment));
    }
    let sns: Vec<String> = found.iter().map(|(_, payment)| payment.sn.clone()).collect();
    let sql = "SELECT payment_sn, key, amount_cents FROM refund WHERE payment_sn IN {}";
    let mut refunds: HashMap<String, Vec<Refund>> = HashMap::new();
    for row in sources.rows_in(Domain::Payment, sql, &sns).await? {
        let of_payment = refunds.entry(column(&row, "payment_sn")?).or_default();
        of_payment.push(Refund {
            key: column(&row, "key")?,
            amount_cents: column(&row, "amount_cents")?,
        });
    }
    let mut cases = cases(sources, &sns).await?;
    for (_, payment) in &mut found {
        payment.refunds = refunds.remove(&payment.sn).unwrap_or_default();
        payment.cases = cases.remove(&payment.sn).unwrap_or_default();
    }
    Ok(found)
}

/// Kinds of the cases about payments.
async fn cases(
    sources: &mut Sources,
    payment_sns: &[String],
) -> Result<HashMap<String, Vec<String>>, String> {
    let sql = "SELECT payment_sn, kind FROM pay_case WHERE payment_sn IN {}";
    let mut cases: HashMap<String, Vec<String>> = HashMap::new();
    for row in sources.rows_in(Domain::Payment, sql, payment_sns).await? {
        let kinds = cases.entry(column(&row, "payment_sn")?).or_default();
        kinds.push(column(&row, "kind")?);
    }
    Ok(cases)
}

/// A hold that nobody has claimed is asked about after a minute, and may have to be asked about again.
const CLAIMED_WITHIN_MS: i64 = 5 * 60_000;

/// Rows of another domain that name an order.
struct Naming {
    domain: Domain,
    kind: &'static str,
    /// Pages by `place`, a text after `$1`; `$2` is the time before which a hold must have been claimed. `subject` is what is
    /// reported, `payment_sn` what a case may be about.
    sql: &'static str,
}

const HOLDS: Naming = Naming {
    domain: Domain::Travel,
    kind: "hold_without_an_order",
    sql: "SELECT hold_key AS place, order_sn, order_sn AS subject, '' AS payment_sn FROM hold \
          WHERE (state = 'bound' OR (state = 'held' AND created_at_ms < $2)) AND hold_key > $1 ORDER BY hold_key LIMIT 500",
};
const PAYMENTS: Naming = Naming {
    domain: Domain::Payment,
    kind: "captured_money_without_an_order",
    sql: "SELECT sn AS place, order_sn, sn AS subject, sn AS payment_sn FROM payment \
          WHERE captured_at_ms > 0 AND CAST($2 AS BIGINT) > 0 AND refunded_cents < amount_cents AND sn > $1 \
          ORDER BY sn LIMIT 500",
};

async fn orphans(
    sources: &mut Sources,
    look: &mut Look,
    naming: &Naming,
    before_ms: i64,
) -> Result<(), String> {
    let mut last = String::new();
    loop {
        let rows = sources
            .rows(
                naming.domain,
                sqlx::query(naming.sql).bind(last.clone()).bind(before_ms),
            )
            .await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = column(end, "place")?;
        let named: BTreeSet<String> = rows
            .iter()
            .map(|row| column(row, "order_sn"))
            .collect::<Result<_, _>>()?;
        let named: Vec<String> = named.into_iter().collect();
        let sql = "SELECT sn FROM orders WHERE sn IN {}";
        let known = sources.rows_in(Domain::Order, sql, &named).await?;
        let known: HashSet<String> = known
            .iter()
            .map(|row| column(row, "sn"))
            .collect::<Result<_, _>>()?;
        let mut orphans = Vec::new();
        for row in &rows {
            let order_sn: String = column(row, "order_sn")?;
            if !known.contains(&order_sn) {
                let (subject, payment_sn): (String, String) =
                    (column(row, "subject")?, column(row, "payment_sn")?);
                orphans.push((order_sn, subject, payment_sn));
            }
        }
        let payment_sns: Vec<String> = orphans.iter().map(|(.., sn)| sn.clone()).collect();
        let cases = cases(sources, &payment_sns).await?;
        for (order_sn, subject, payment_sn) in orphans {
            let kinds = cases.get(&payment_sn).into_iter().flatten();
            if !kinds.into_iter().any(|kind| TOO_MUCH.contains(&kind.as_str())) {
                look.findings.insert(Finding {
                    kind: naming.kind,
                    subject,
                    detail: format!("order {order_sn}"),
                });
            }
        }
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}
