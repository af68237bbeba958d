use homestay_db::Db;
use sqlx::Row;

use super::support::World;

/// Each must find nothing.
const DISAGREEMENTS: &[(&str, &str)] = &[
    (
        "a transaction of the ledger does not sum to zero",
        "SELECT t.kind || ' ' || t.ref FROM ledger_txn t LEFT JOIN ledger_entry e ON e.txn_id = t.id AND e.currency = t.currency \
         GROUP BY t.id, t.kind, t.ref HAVING COUNT(e.line) < 2 OR SUM(e.amount_cents) <> 0",
    ),
    (
        "an entry belongs to no transaction",
        "SELECT e.account FROM ledger_entry e LEFT JOIN ledger_txn t ON t.id = e.txn_id AND t.currency = e.currency \
         WHERE t.id IS NULL",
    ),
    (
        "a currency does not sum to zero",
        "SELECT currency FROM ledger_entry GROUP BY currency HAVING SUM(amount_cents) <> 0",
    ),
    (
        "what an order holds is not what was captured, less what went back and was passed on",
        "SELECT o.order_sn FROM pay_order o WHERE \
         (SELECT COALESCE(SUM(e.amount_cents), 0) FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id \
          WHERE t.order_sn = o.order_sn AND e.account IN ('guest_funds', 'overpaid')) <> \
         (SELECT COALESCE(SUM(p.amount_cents - p.refunded_cents), 0) FROM payment p WHERE p.order_sn = o.order_sn \
          AND p.captured_at_ms > 0) - o.settled_cents",
    ),
    (
        "an order holds less than nothing",
        "SELECT t.order_sn FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id WHERE e.account = 'guest_funds' \
         GROUP BY t.order_sn, e.currency HAVING SUM(e.amount_cents) < 0",
    ),
    (
        "what was passed on goes back too, and nobody was told",
        "SELECT o.order_sn FROM pay_order o WHERE o.settled_cents > \
         (SELECT COALESCE(SUM(p.amount_cents - p.refund_reserved_cents), 0) FROM payment p WHERE p.order_sn = o.order_sn \
          AND p.state IN ('captured', 'refund_pending', 'refunded')) \
         - (SELECT COALESCE(SUM(e.amount_cents), 0) FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id \
            WHERE t.order_sn = o.order_sn AND e.account = 'overpaid')",
    ),
    (
        "money was lost without a case",
        "SELECT t.ref FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id WHERE e.account = 'overpaid' \
         AND NOT EXISTS (SELECT 1 FROM pay_case c WHERE c.kind = 'provider_refund' AND c.refund_sn = t.ref)",
    ),
    (
        "a disputed payment is live, has no case, or does not say what was asked for",
        "SELECT p.sn FROM payment p WHERE (p.asked_cents > 0) <> (p.state = 'disputed') OR (p.state = 'disputed' \
         AND (p.live = 1 OR NOT EXISTS (SELECT 1 FROM pay_case c WHERE c.kind = 'wrong_amount' AND c.payment_sn = p.sn)))",
    ),
    (
        "a payment's postings are not its state's",
        "SELECT p.sn FROM payment p WHERE \
         (SELECT COUNT(*) FROM ledger_txn t WHERE t.kind = 'authorise' AND t.ref = p.sn) <> 1 \
         OR (SELECT COUNT(*) FROM ledger_txn t WHERE t.kind = 'capture' AND t.ref = p.sn) <> \
            CASE WHEN p.state IN ('captured', 'refund_pending', 'refunded', 'disputed') THEN 1 ELSE 0 END \
         OR (SELECT COALESCE(SUM(e.amount_cents), 0) FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id \
             WHERE t.payment_sn = p.sn AND e.account = 'authorised_contra') <> \
            CASE WHEN p.state IN ('created', 'pending') THEN p.amount_cents ELSE 0 END",
    ),
    (
        "a payment's refunds are not what it says",
        "SELECT p.sn FROM payment p WHERE p.refunded_cents > p.refund_reserved_cents \
         OR p.refund_reserved_cents <> (SELECT COALESCE(SUM(r.amount_cents), 0) FROM refund r WHERE r.payment_sn = p.sn) \
         OR p.refunded_cents <> (SELECT COALESCE(SUM(r.amount_cents), 0) FROM refund r \
                                 WHERE r.payment_sn = p.sn AND r.state = 'succeeded')",
    ),
    (
        "a refund that was refused has no case, or one that was not has an open one",
        "SELECT r.sn FROM refund r WHERE (SELECT COUNT(*) FROM pay_case c WHERE c.kind = 'refund_refused' AND c.ref = r.sn) \
         < CASE WHEN r.state = 'failed' THEN 1 ELSE 0 END \
         OR (r.state = 'succeeded' AND EXISTS (SELECT 1 FROM pay_case c WHERE c.ref = r.sn AND c.state = 'open'))",
    ),
];

/// Payments, refunds, ledger and cases agree.
pub async fn assert_books(world: &World) {
    assert_books_of(&world.db.db).await;
}

pub async fn assert_books_of(db: &Db) {
    for (what, sql) in DISAGREEMENTS {
        let found = sqlx::query(*sql).fetch_all(db.read()).await.unwrap();
        let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
        assert!(found.is_empty(), "{what}: {found:?}");
    }
}

/// Balances by account, those that are not zero, by name.
pub async fn balances(db: &Db) -> Vec<(String, i64)> {
    let rows = sqlx::query(
        "SELECT account, CAST(SUM(amount_cents) AS BIGINT) AS cents FROM ledger_entry GROUP BY account \
         HAVING SUM(amount_cents) <> 0 ORDER BY account",
    )
    .fetch_all(db.read())
    .await
    .unwrap();
    rows.iter()
        .map(|row| (row.get("account"), row.get("cents")))
        .collect()
}
