//! What a booking costs in calls and in commits that wait for the disk. ARCHITECTURE.md has the same numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::{Mode, PATIENCE, Program, USUAL, stay, text, unique};

/// Calls between domains so far by method, and durable commits of the domains that a booking changes.
struct Costs {
    calls: BTreeMap<String, u64>,
    commits: u64,
}

impl Costs {
    /// Those of the broker carry many bookings at once, and sweeps none: they are left out.
    async fn read(program: &Program) -> Self {
        let mut costs = Self {
            calls: BTreeMap::new(),
            commits: 0,
        };
        for admin in &program.admins {
            let answer = program.http.get(format!("{admin}/metrics")).send().await.unwrap();
            let metrics = answer.text().await.unwrap();
            let broker = metrics.contains(r#"rpc_server_requests_total{code="OK",method="homestay.mqueue"#);
            for line in metrics.lines() {
                let Some((series, value)) = line.rsplit_once(' ') else {
                    continue;
                };
                let value = value.parse::<u64>().unwrap_or_default();
                if let Some((_, method)) = series
                    .strip_prefix("homestay_rpc_client_requests_total")
                    .and_then(|labels| labels.split_once(r#"method="homestay."#))
                {
                    let method = method.trim_end_matches(['"', '}']);
                    if !method.starts_with("mqueue.") && !method.contains("Sweep") {
                        *costs.calls.entry(method.to_owned()).or_default() += value;
                    }
                } else if series.starts_with("homestay_db_commits_total")
                    && series.contains(r#"durable="yes""#)
                    && !broker
                {
                    costs.commits += value;
                }
            }
        }
        costs
    }

    /// What came after `before`.
    fn since(&self, before: &Self) -> (BTreeMap<&str, u64>, u64) {
        let calls = self.calls.iter().filter_map(|(method, count)| {
            let more = count - before.calls.get(method).copied().unwrap_or_default();
            (more > 0).then_some((method.as_str(), more))
        });
        (calls.collect(), self.commits - before.commits)
    }
}

pub async fn a_create_is_two_calls_and_a_paid_booking_fifteen_besides_what_is_batched(mode: Mode) {
    let program = Program::alone(mode, USUAL).await;
    let guest = program.guest().await;
    let free = program.single_unit(2).await;
    let before = Costs::read(&program).await;

    let (status, order) = program.book(&guest, &unique(), &stay(&free)).await;

    assert_eq!(status, 201);
    let created = Costs::read(&program).await;
    let (calls, commits) = created.since(&before);
    assert_eq!(
        calls,
        BTreeMap::from([("order.v1.Order/Create", 1), ("travel.v1.Travel/Hold", 1)])
    );
    if mode == Mode::Distributed {
        assert_eq!(commits, 2, "the nights, and the order");
    }

    let url = program.pay_url(&guest, &text(&order, "sn")).await;
    assert_eq!(program.press(&url, "pay").await, 200);
    let told = async {
        loop {
            let now = Costs::read(&program).await;
            if now.since(&before).0.get("order.v1.Order/MarkTold") == Some(&2) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let paid = tokio::time::timeout(PATIENCE, told).await.expect("told in time");
    let (calls, commits) = paid.since(&before);
    assert_eq!(
        calls,
        BTreeMap::from([
            ("order.v1.Order/Advance", 1),
            ("order.v1.Order/Create", 1),
            ("order.v1.Order/Get", 3),
            ("order.v1.Order/MarkTold", 2),
            ("payment.v1.Payment/Callback", 1),
            ("payment.v1.Payment/Create", 1),
            ("payment.v1.Payment/ListForOrder", 1),
            // The sandbox's own: a real provider has its pay page elsewhere.
            ("payment.v1.Payment/SandboxAct", 1),
            ("payment.v1.Payment/SandboxDeliver", 1),
            ("travel.v1.Travel/Hold", 1),
            ("usercenter.v1.UserCenter/GetUser", 2),
        ])
    );
    if mode == Mode::Distributed {
        // Hold, order, intent, callback, confirmed, told; two more are batches of the broker, which serves others too.
        assert!((6..=8).contains(&commits), "{commits} durable commits");
    }
}
