//! What one domain's tables say against each other: a statement a kind, whose rows are what disagrees.

use super::source::{Sources, column};
use super::{Finding, Look};
use crate::targets::Domain;

use Domain::{Order, Payment, Travel};

/// One kind of disagreement within a domain. The statement answers with `subject` and `detail`, both text.
struct Check {
    kind: &'static str,
    domain: Domain,
    sql: &'static str,
}

const fn check(kind: &'static str, domain: Domain, sql: &'static str) -> Check {
    Check { kind, domain, sql }
}

/// Nights and meals of travel (a hold that is neither held nor bound has none); payments, refunds, ledger and cases of payment; sums of order.
const CHECKS: [Check; 18] = [
    check(
        "night_sold_twice",
        Travel,
        "SELECT house_id || ' day ' || day || ' unit ' || unit AS subject, COUNT(*) || ' times' AS detail \
         FROM night GROUP BY house_id, day, unit HAVING COUNT(*) > 1",
    ),
    check(
        "night_of_nobody",
        Travel,
        "SELECT n.order_sn || ' attempt ' || n.attempt AS subject, COUNT(*) || ' nights' AS detail FROM night n \
         WHERE n.order_sn NOT LIKE 'block:%' AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.order_sn = n.order_sn \
         AND h.attempt = n.attempt AND h.state IN ('held', 'bound') AND h.house_id = n.house_id AND h.unit = n.unit \
         AND n.day >= h.check_in AND n.day < h.check_out + h.buffer_days) GROUP BY n.order_sn, n.attempt",
    ),
    check(
        "night_of_nobody",
        Travel,
        "SELECT n.order_sn AS subject, COUNT(*) || ' nights' AS detail FROM night n WHERE n.order_sn LIKE 'block:%' \
         AND NOT EXISTS (SELECT 1 FROM owner_block b WHERE 'block:' || b.id = n.order_sn AND b.house_id = n.house_id \
         AND b.unit = n.unit AND n.day >= b.first_day AND n.day < b.until_day) GROUP BY n.order_sn",
    ),
    check(
        "hold_without_its_nights",
        Travel,
        "SELECT x.order_sn || ' attempt ' || x.attempt AS subject, x.has || ' of ' || x.wants || ' nights' AS detail \
         FROM (SELECT h.order_sn, h.attempt, h.check_out + h.buffer_days - h.check_in AS wants, \
         (SELECT COUNT(*) FROM night n WHERE n.house_id = h.house_id AND n.unit = h.unit AND n.day >= h.check_in \
         AND n.day < h.check_out + h.buffer_days AND n.order_sn = h.order_sn) AS has \
         FROM hold h WHERE h.state IN ('held', 'bound')) x WHERE x.has <> x.wants",
    ),
    check(
        "block_without_its_nights",
        Travel,
        "SELECT 'block:' || x.id AS subject, x.has || ' of ' || x.wants || ' nights' AS detail \
         FROM (SELECT b.id, b.until_day - b.first_day AS wants, (SELECT COUNT(*) FROM night n \
         WHERE n.house_id = b.house_id AND n.unit = b.unit AND n.day >= b.first_day AND n.day < b.until_day \
         AND n.order_sn = 'block:' || b.id) AS has FROM owner_block b) x WHERE x.has <> x.wants",
    ),
    // An order that is being changed has two holds; a meal of a day that both cover is taken once.
    check(
        "meals_miscounted",
        Travel,
        "WITH RECURSIVE d(order_sn, house_id, day, until_day, meals) AS (SELECT order_sn, house_id, check_in, check_out, \
         meals FROM hold WHERE state IN ('held', 'bound') AND meals > 0 UNION ALL SELECT order_sn, house_id, day + 1, \
         until_day, meals FROM d WHERE day + 1 < until_day), \
         wanted AS (SELECT x.house_id, x.day, SUM(x.most) AS held FROM (SELECT order_sn, house_id, day, MAX(meals) AS most \
         FROM d GROUP BY order_sn, house_id, day) x GROUP BY x.house_id, x.day) \
         SELECT m.house_id || ' day ' || m.day AS subject, m.taken || ' taken, ' || COALESCE(w.held, 0) || ' held' AS detail \
         FROM meal_day m LEFT JOIN wanted w ON w.house_id = m.house_id AND w.day = m.day \
         WHERE m.taken <> COALESCE(w.held, 0) \
         UNION ALL SELECT w.house_id || ' day ' || w.day, '0 taken, ' || w.held || ' held' FROM wanted w \
         LEFT JOIN meal_day m ON m.house_id = w.house_id AND m.day = w.day WHERE m.house_id IS NULL",
    ),
    check(
        "ledger_unbalanced",
        Payment,
        "SELECT 'transaction ' || e.txn_id AS subject, SUM(e.amount_cents) || ' ' || e.currency AS detail \
         FROM ledger_entry e GROUP BY e.txn_id, e.currency HAVING SUM(e.amount_cents) <> 0",
    ),
    check(
        "ledger_torn",
        Payment,
        "SELECT t.kind || ' ' || t.ref AS subject, 'has no entries' AS detail FROM ledger_txn t \
         WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.txn_id = t.id) \
         UNION ALL SELECT 'transaction ' || e.txn_id, 'entries of none' FROM ledger_entry e \
         WHERE NOT EXISTS (SELECT 1 FROM ledger_txn t WHERE t.id = e.txn_id)",
    ),
    check(
        "capture_not_in_ledger",
        Payment,
        "SELECT x.sn AS subject, x.posted || ' posted of ' || x.amount_cents AS detail FROM (SELECT p.sn, p.amount_cents, \
         COALESCE((SELECT SUM(e.amount_cents) FROM ledger_txn t JOIN ledger_entry e ON e.txn_id = t.id \
         WHERE t.kind = 'capture' AND t.ref = p.sn AND e.account = 'guest_funds'), 0) AS posted \
         FROM payment p WHERE p.state IN ('captured', 'refund_pending', 'refunded', 'disputed')) x WHERE x.posted <> x.amount_cents",
    ),
    check(
        "refund_not_in_ledger",
        Payment,
        "SELECT x.sn AS subject, x.posted || ' posted of ' || x.amount_cents AS detail FROM (SELECT r.sn, r.amount_cents, \
         COALESCE((SELECT -SUM(e.amount_cents) FROM ledger_txn t JOIN ledger_entry e ON e.txn_id = t.id \
         WHERE t.kind = 'refund' AND t.ref = r.sn AND e.account IN ('guest_funds', 'overpaid')), 0) AS posted \
         FROM refund r WHERE r.state = 'succeeded') x WHERE x.posted <> x.amount_cents",
    ),
    check(
        "ledger_without_money",
        Payment,
        "SELECT t.kind || ' ' || t.ref AS subject, 'no such money moved' AS detail FROM ledger_txn t \
         WHERE (t.kind = 'capture' AND NOT EXISTS (SELECT 1 FROM payment p WHERE p.sn = t.ref \
         AND p.state IN ('captured', 'refund_pending', 'refunded', 'disputed'))) \
         OR (t.kind = 'refund' AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.sn = t.ref AND r.state = 'succeeded'))",
    ),
    check(
        "settled_more_than_was_left",
        Payment,
        "SELECT t.order_sn AS subject, SUM(e.amount_cents) || ' ' || e.currency || ' of the guest' AS detail \
         FROM ledger_txn t JOIN ledger_entry e ON e.txn_id = t.id WHERE e.account = 'guest_funds' \
         GROUP BY t.order_sn, e.currency HAVING SUM(e.amount_cents) < 0",
    ),
    check(
        "settlement_not_in_ledger",
        Payment,
        "SELECT x.order_sn AS subject, x.posted || ' posted of ' || x.settled_cents AS detail FROM (SELECT o.order_sn, \
         o.settled_cents, COALESCE((SELECT -SUM(e.amount_cents) FROM ledger_txn t JOIN ledger_entry e ON e.txn_id = t.id \
         WHERE t.kind = 'settle' AND t.order_sn = o.order_sn AND e.account = 'guest_funds'), 0) AS posted \
         FROM pay_order o) x WHERE x.posted <> x.settled_cents",
    ),
    check(
        "refunded_more_than_captured",
        Payment,
        "SELECT p.sn AS subject, p.refunded_cents || ' back, ' || p.refund_reserved_cents || ' reserved of ' \
         || p.amount_cents AS detail FROM payment p WHERE p.refund_reserved_cents > p.amount_cents \
         OR p.refunded_cents > p.refund_reserved_cents",
    ),
    check(
        "refunds_do_not_add_up",
        Payment,
        "SELECT x.sn AS subject, x.refunded_cents || ' back, refunds of ' || x.back || ', ' || x.refund_reserved_cents \
         || ' reserved, refunds of ' || x.asked AS detail FROM (SELECT p.sn, p.refunded_cents, p.refund_reserved_cents, \
         COALESCE((SELECT SUM(r.amount_cents) FROM refund r WHERE r.payment_sn = p.sn AND r.state = 'succeeded'), 0) AS back, \
         COALESCE((SELECT SUM(r.amount_cents) FROM refund r WHERE r.payment_sn = p.sn), 0) AS asked \
         FROM payment p WHERE p.captured_at_ms > 0) x WHERE x.refunded_cents <> x.back OR x.refund_reserved_cents <> x.asked",
    ),
    check(
        "two_live_payments",
        Payment,
        "SELECT p.order_sn || ' charge ' || p.charge AS subject, COUNT(*) || ' payments' AS detail FROM payment p \
         WHERE p.live = 1 GROUP BY p.order_sn, p.charge HAVING COUNT(*) > 1",
    ),
    check(
        "refused_refund_without_a_case",
        Payment,
        "SELECT r.sn AS subject, r.failure AS detail FROM refund r WHERE r.state = 'failed' AND NOT EXISTS \
         (SELECT 1 FROM pay_case c WHERE c.kind = 'refund_refused' AND c.ref = r.sn)",
    ),
    check(
        "order_does_not_add_up",
        Order,
        "SELECT x.sn AS subject, x.charged_cents || ' charged, payments of ' || x.paid || ', ' || x.refund_cents \
         || ' to go back, of payments ' || x.back AS detail FROM (SELECT o.sn, o.charged_cents, o.refund_cents, \
         COALESCE((SELECT SUM(p.amount_cents) FROM order_payment p WHERE p.order_sn = o.sn), 0) AS paid, \
         COALESCE((SELECT SUM(p.back_cents) FROM order_payment p WHERE p.order_sn = o.sn), 0) AS back \
         FROM orders o) x WHERE x.charged_cents <> x.paid OR x.refund_cents <> x.back",
    ),
];

/// Adds what the statements find.
///
/// # Errors
/// A sentence naming the database that cannot be read.
pub async fn check_all(sources: &mut Sources, look: &mut Look) -> Result<(), String> {
    for check in &CHECKS {
        let rows = sources.rows(check.domain, sqlx::query(check.sql)).await;
        let rows = rows.map_err(|error| format!("{}: {error}", check.kind))?;
        for row in rows {
            look.findings.insert(Finding {
                kind: check.kind,
                subject: column(&row, "subject")?,
                detail: column(&row, "detail")?,
            });
        }
    }
    Ok(())
}
