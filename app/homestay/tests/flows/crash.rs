//! kill -9 at many points of a day, and a new start: nothing is lost, nothing is left over.
//!
//! The check at the end reads the databases with SQL of its own, not through the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection};

use crate::harness::fleet::DOMAINS;
use crate::harness::{Mode, PATIENCE, Place, Program, Start, stay};

const SOON: Start = Start {
    close_after: "1s",
    sample: true,
};

/// Kills so many times, each a little later in the day: of a fleet every process once.
const ROUNDS: usize = 14;

/// A guest's day: one paid, one left to close, one paid late, one cancelled. Counts the answers it got; ends when the
/// program does.
async fn day(program: &Program, answers: &AtomicUsize) -> Option<()> {
    let call = async |path: &str, token: Option<&str>, body: Value| {
        let mut request = program.http.post(format!("{}{path}", program.base)).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.ok()?.json::<Value>().await.ok()?;
        answers.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    };
    let account = json!({ "mobile": crate::harness::mobile(), "password": "correct horse" });
    let session = call("/v1/users", None, account).await?;
    let token = session["accessToken"].as_str()?.to_owned();
    for button in ["pay", "", "pay-late", "cancel"] {
        let free = program.single_unit_or_none(1).await?;
        let order = call("/v1/orders", Some(&token), stay(&free)).await?;
        let sn = order["sn"].as_str()?.to_owned();
        match button {
            "" => {}
            "cancel" => drop(call(&format!("/v1/orders/{sn}/cancel"), Some(&token), json!({})).await?),
            button => {
                let payment = call("/v1/payments", Some(&token), json!({ "orderSn": sn })).await?;
                let form = [("action", button)];
                program
                    .http
                    .post(payment["payUrl"].as_str()?)
                    .form(&form)
                    .send()
                    .await
                    .ok()?;
                answers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Some(())
}

pub async fn killed_at_many_points_of_a_day_it_starts_again_and_everything_agrees(mode: Mode) {
    let place = Place::new(mode, SOON).await;
    for round in 0..ROUNDS {
        let program = Arc::new(place.start(SOON).await);
        let answers = Arc::new(AtomicUsize::new(0));
        // The moment of the kill is the subject: after so many answers, and a little into the next request.
        let kill = async {
            let patience = tokio::time::Instant::now() + Duration::from_secs(5);
            while answers.load(Ordering::Relaxed) < round && tokio::time::Instant::now() < patience {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            tokio::time::sleep(Duration::from_micros(300 * (round as u64 % 5))).await;
        };
        tokio::select! {
            _ = async { day(&program, &answers).await; std::future::pending::<()>().await } => {}
            () = kill => {}
        }
        Arc::into_inner(program).expect("only ours").kill(round).await;
    }

    let program = place.start(SOON).await;
    let settled = async {
        loop {
            let open = unsettled(&place).await;
            if open.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    if tokio::time::timeout(PATIENCE * 3, settled).await.is_err() {
        panic!("left over: {:?}", unsettled(&place).await);
    }
    assert!(program.stop().await, "ends cleanly");
    assert_eq!(unsettled(&place).await, Vec::<String>::new());
    assert_eq!(disagreements(&place).await, Vec::<String>::new());
    let orders = rows(&place, &[("order", "SELECT sn FROM {order}.orders")]).await;
    assert!(!orders.is_empty(), "the days made orders");
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

async fn rows(place: &Place, checks: &[(&str, &'static str)]) -> Vec<String> {
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
async fn disagreements(place: &Place) -> Vec<String> {
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
