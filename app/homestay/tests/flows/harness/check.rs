//! What the databases say, asked with SQL of its own and not through the program.

use std::time::Duration;

use sqlx::{AnyConnection, Connection};

use super::fleet::DOMAINS;
use super::{PATIENCE, Place};

/// Waits until nothing is on its way.
pub async fn settled(place: &Place) {
    let settled = async {
        while !unsettled(place).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    if tokio::time::timeout(PATIENCE * 3, settled).await.is_err() {
        panic!("left over: {:?}", unsettled(place).await);
    }
}

/// A connection that reads all domains' tables, and what is put before a domain's name to get its schema.
async fn open(place: &Place) -> (AnyConnection, &'static str) {
    sqlx::any::install_default_drivers();
    match place {
        Place::Folder(data) => {
            // Not in memory: what is attached to that would be in memory too.
            let main = format!("sqlite://{}", data.path().join("order.db").display());
            let mut connection = AnyConnection::connect(&main).await.unwrap();
            for name in DOMAINS {
                let path = data.path().join(format!("{name}.db"));
                // "order" alone is a word of SQL.
                let attach = format!("ATTACH DATABASE '{}' AS of_{name}", path.display());
                sqlx::query(sqlx::AssertSqlSafe(attach))
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            (connection, "of_")
        }
        Place::Servers(fleet) => {
            let url = fleet.ground.admin_url();
            (AnyConnection::connect(&url).await.unwrap(), "homestay_test_")
        }
    }
}

pub async fn rows(place: &Place, checks: &[(&str, &'static str)]) -> Vec<String> {
    let (mut connection, prefix) = open(place).await;
    let mut found = Vec::new();
    for &(name, sql) in checks {
        let mut sql = sql.to_owned();
        for domain in DOMAINS {
            sql = sql.replace(&format!("{{{domain}}}"), &format!("{prefix}{domain}"));
        }
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        found.extend(rows.into_iter().map(|row| format!("{name}: {row}")));
    }
    found
}

/// What is still on its way and must come to its end by itself.
async fn unsettled(place: &Place) -> Vec<String> {
    rows(
        place,
        &[
            ("open order", "SELECT sn FROM {order}.orders WHERE state IN ('awaiting_payment', 'refund_pending')"),
            (
                "nights not given back",
                "SELECT sn FROM {order}.orders WHERE state IN ('cancelled', 'refunded') AND released_at_ms = 0",
            ),
            ("hold without an answer", "SELECT order_sn FROM {travel}.hold WHERE state = 'held'"),
            ("outbox of order", "SELECT name FROM {order}.outbox"),
            ("outbox of payment", "SELECT name FROM {payment}.outbox"),
            (
                "job that is still to run",
                "SELECT kind FROM {mqueue}.job WHERE state < 2 AND (kind IN ('order.advance', 'payment.refund') \
                 OR kind LIKE '%.event:%')",
            ),
            (
                "pending refund",
                "SELECT sn FROM {payment}.payment WHERE state = 'refund_pending'",
            ),
            (
                "captured at the provider, unknown to us",
                "SELECT c.payment_sn FROM {payment}.sandbox_charge c JOIN {payment}.payment p ON p.sn = c.payment_sn \
                 WHERE c.state IN ('captured', 'late') AND p.state NOT IN ('captured', 'refund_pending', 'refunded')",
            ),
            (
                "captured money without its order",
                "SELECT p.sn FROM {payment}.payment p LEFT JOIN {order}.orders o ON o.sn = p.order_sn AND o.payment_sn = p.sn \
                 AND o.state = 'confirmed' WHERE p.state = 'captured' AND o.sn IS NULL",
            ),
        ],
    )
    .await
}

/// What must never be.
pub async fn disagreements(place: &Place) -> Vec<String> {
    rows(
        place,
        &[
            (
                "confirmed without all its nights",
                "SELECT o.sn FROM {order}.orders o WHERE o.state = 'confirmed' AND o.check_out_day - o.check_in_day <> \
                 (SELECT COUNT(*) FROM {travel}.night n WHERE n.order_sn = o.sn AND n.attempt = o.attempt \
                  AND n.house_id = o.house_id AND n.unit = o.unit AND n.day >= o.check_in_day AND n.day < o.check_out_day)",
            ),
            (
                "nights of nobody",
                "SELECT n.order_sn FROM {travel}.night n LEFT JOIN {order}.orders o ON o.sn = n.order_sn \
                 WHERE o.sn IS NULL OR o.state <> 'confirmed' OR n.attempt <> o.attempt",
            ),
            (
                "confirmed without captured money",
                "SELECT o.sn FROM {order}.orders o LEFT JOIN {payment}.payment p ON p.sn = o.payment_sn \
                 WHERE o.state = 'confirmed' AND (p.sn IS NULL OR p.state <> 'captured' OR p.amount_cents <> o.total_cents)",
            ),
            (
                "refunded without its money back",
                "SELECT o.sn FROM {order}.orders o LEFT JOIN {payment}.payment p ON p.sn = o.payment_sn \
                 WHERE o.state = 'refunded' AND (p.sn IS NULL OR p.state <> 'refunded' OR p.refunded_cents <> p.amount_cents)",
            ),
            (
                "kept money of a cancelled order",
                "SELECT o.sn FROM {order}.orders o JOIN {payment}.payment p ON p.order_sn = o.sn \
                 WHERE o.state = 'cancelled' AND p.state = 'captured'",
            ),
            (
                "dead letter",
                "SELECT kind || ' ' || last_error FROM {mqueue}.job WHERE state = 3",
            ),
        ],
    )
    .await
}
