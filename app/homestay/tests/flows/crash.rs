//! kill -9 at many points of a day, and a new start: nothing is lost, nothing is left over.
//!
//! The check at the end reads the databases with SQL of its own, not through the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::check::{disagreements, rows, settled};
use crate::harness::{Mode, Place, Program, Start, stay};

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
    settled(&place).await;
    assert!(program.stop().await, "ends cleanly");
    assert_eq!(disagreements(&place).await, Vec::<String>::new());
    place.audit();
    let orders = rows(&place, &[("order", "SELECT sn FROM {order}.orders")]).await;
    assert!(!orders.is_empty(), "the days made orders");
}
