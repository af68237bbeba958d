//! Books of before there was a ledger.

use homestay_db::Db;

use super::books::{assert_books_of, balances};
use crate::MIGRATIONS;

/// Number, order, state, refunded; the refund's state, if there is one.
const OLD: [(i64, &str, &str, i64, &str); 8] = [
    (1, "A", "created", 0, ""),
    (2, "A", "pending", 0, ""),
    (3, "B", "failed", 0, ""),
    (4, "B", "closed", 0, ""),
    (5, "B", "captured", 0, ""),
    (6, "C", "refund_pending", 0, "pending"),
    (7, "D", "refund_pending", 0, "failed"),
    (8, "E", "refunded", 100, "succeeded"),
];

async fn run(db: &Db, sql: String) {
    db.write(move |tx| {
        Box::pin(async move {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **tx).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn old_payments_get_opening_entries_and_old_refused_refunds_a_case() {
    let test = homestay_testkit::database(&MIGRATIONS[..4]).await;
    let db = &test.db;
    for (id, order, state, refunded, refund) in OLD {
        let captured = i64::from(matches!(state, "captured" | "refund_pending" | "refunded"));
        run(
            db,
            format!(
                "INSERT INTO pay_order (order_sn, closed) VALUES ('{order}', 0) ON CONFLICT DO NOTHING;
                 INSERT INTO payment (id, sn, order_sn, user_id, provider, pay_type, description, state, live, amount_cents, \
                 refunded_cents, currency, pay_url, provider_ref, expires_at_ms, created_at_ms, captured_at_ms, updated_at_ms, \
                 swept_at_ms, settled_at_ms) VALUES ({id}, 'P{id}', '{order}', 7, 'sandbox', 'SANDBOX', '', '{state}', 0, 100, \
                 {refunded}, 'CNY', '', '', 9, 1, {captured}, 3, 0, 0)"
            ),
        )
        .await;
        if !refund.is_empty() {
            run(
                db,
                format!(
                    "INSERT INTO refund (id, sn, payment_sn, amount_cents, state, reason, failure, created_at_ms, updated_at_ms) \
                     VALUES ({id}, 'R{id}', 'P{id}', 100, '{refund}', '', 'no', 2, 3);
                     INSERT INTO sandbox_charge (token, payment_sn, order_sn, description, amount_cents, currency, state, \
                     expires_at_ms, captured_at_ms, failed_at_ms, refunded_at_ms, refund_key) \
                     VALUES ('t{id}', 'P{id}', '{order}', '', 100, 'CNY', 'refunded', 9, 1, 0, 3, 'R{id}')"
                ),
            )
            .await;
        }
    }

    for (_, _, sql) in &MIGRATIONS[4..] {
        run(db, (*sql).to_owned()).await;
    }

    assert_books_of(db).await;
    assert_eq!(
        balances(db).await,
        [
            ("authorised:sandbox".to_owned(), -200),
            ("authorised_contra".to_owned(), 200),
            ("guest_funds".to_owned(), 300),
            ("provider:sandbox".to_owned(), -300),
        ]
    );
    let cases: Vec<(String, String)> = sqlx::query_as("SELECT kind, ref FROM pay_case WHERE state = 'open'")
        .fetch_all(db.read())
        .await
        .unwrap();
    assert_eq!(cases, [("refund_refused".to_owned(), "R7".to_owned())]);
    let reserved: i64 = sqlx::query_scalar("SELECT CAST(SUM(refund_reserved_cents) AS BIGINT) FROM payment")
        .fetch_one(db.read())
        .await
        .unwrap();
    assert_eq!(reserved, 300);
    let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sandbox_refund")
        .fetch_one(db.read())
        .await
        .unwrap();
    assert_eq!(kept, 3);
}
