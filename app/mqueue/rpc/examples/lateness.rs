//! How late jobs start, and how fast many are done: broker, SQLite and one worker in this process, in real time.
//!
//! `cargo run -p mqueue-rpc --example lateness [-- PENDING RATE SECONDS BURST CONCURRENCY]`

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_jobs::{Delivery, Enqueuer, NewJob, WorkerConfig, handler, work};
use homestay_proto::mqueue::mqueue_server::MqueueServer;
use homestay_rpc::Actor;
use homestay_service::{Stop, Tasks};
use homestay_testkit::{channel_as, serve};
use mqueue_rpc::{Bell, Config, METHODS, MIGRATIONS, MqueueService};
use tokio::sync::mpsc;

/// Milliseconds from due time to start.
struct Late(Vec<i64>);

impl Late {
    fn show(mut self, what: &str) {
        self.0.sort_unstable();
        let at = |part: usize| {
            self.0
                .get((self.0.len() * part / 1000).min(self.0.len() - 1))
                .copied()
                .unwrap_or_default()
        };
        println!(
            "{what}: {} jobs; late by p50 {} ms, p99 {} ms, p99.9 {} ms, max {} ms; earliest {} ms",
            self.0.len(),
            at(500),
            at(990),
            at(999),
            at(1000),
            at(0)
        );
    }
}

/// Calls the broker has served, by method.
fn calls() -> HashMap<String, i64> {
    let text = homestay_telemetry::metrics::render();
    let count = |line: &str| {
        let (name, value) = line
            .strip_prefix("homestay_rpc_server_requests_total{")?
            .rsplit_once(' ')?;
        let method = name.split("Mqueue/").nth(1)?.split('"').next()?;
        Some((method.to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(count).collect()
}

fn show_calls(before: &HashMap<String, i64>) {
    let mut made: Vec<String> = calls()
        .into_iter()
        .map(|(method, n)| {
            format!(
                "{} {method}",
                n - before.get(&method).copied().unwrap_or_default()
            )
        })
        .collect();
    made.sort();
    println!("  calls: {}", made.join(", "));
}

async fn enqueue(jobs: &Enqueuer, count: i64, due: impl Fn(i64) -> i64) {
    let began = Instant::now();
    let all: Vec<NewJob> = (0..count)
        .map(|i| NewJob::new("bench.job", &due(i)).due_at_ms(due(i)))
        .collect();
    for chunk in all.chunks(1000) {
        jobs.enqueue(chunk.to_vec()).await.expect("enqueued");
    }
    println!("  {count} enqueued in {:?}", began.elapsed());
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |i: usize| {
        fields
            .get(i)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let given: Vec<i64> = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"))
        .collect();
    let arg = |i: usize, default: i64| given.get(i).copied().unwrap_or(default);
    let (pending, rate, seconds, burst) = (arg(0, 100_000), arg(1, 500), arg(2, 20), arg(3, 20_000));
    let concurrency = usize::try_from(arg(4, 64)).expect("a count");

    let dir = tempfile::tempdir().expect("a folder");
    let clock = Clock::system();
    let db = Db::open_sqlite(&dir.path().join("mqueue.db"), MIGRATIONS, Tasks::new())
        .await
        .expect("a database");
    let ids = Ids::new(clock.clone(), 0);
    let slot = serve(
        MqueueServer::new(MqueueService::new(
            db,
            ids,
            clock.clone(),
            Bell::memory(),
            Config::default(),
        )),
        METHODS,
    );
    let channel = channel_as(&slot, &Actor::Service("bench".into()));
    let jobs = Enqueuer::new(channel.clone());

    let (starts, mut started) = mpsc::unbounded_channel();
    let inside = Arc::new(AtomicUsize::new(0));
    let (seen, now) = (inside.clone(), clock.clone());
    let run = handler(move |delivery: Delivery| {
        let late = now.now_ms() - delivery.read::<i64>().unwrap_or_default();
        let _ = starts.send(late);
        seen.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }
    });
    let config = WorkerConfig {
        queue: "bench".into(),
        name: "bench-mq".into(),
        concurrency,
        wait: Duration::from_secs(10),
        grace: Duration::from_secs(5),
    };
    let stop = Stop::new();
    let tasks = Tasks::new();
    let worker = tasks.spawn(work(
        channel,
        config,
        HashMap::from([("bench.job".to_owned(), run)]),
        stop.clone(),
    ));

    println!("{pending} pending, {rate}/s due for {seconds} s, concurrency {concurrency}");
    let far = clock.now_ms() + 24 * 3_600_000;
    enqueue(&jobs, pending, |i| far + i).await;
    let first = clock.now_ms() + 3_000;
    enqueue(&jobs, rate * seconds, |i| first + i * 1000 / rate).await;
    clock.sleep_until(first - 100).await;
    let (cpu, before) = (cpu_seconds(), calls());
    let mut late = Vec::new();
    while late.len() < usize::try_from(rate * seconds).expect("a count") {
        late.push(started.recv().await.expect("a start"));
    }
    println!("  {:.2} s of CPU", cpu_seconds() - cpu);
    show_calls(&before);
    Late(late).show("flow");

    println!("{burst} due in one instant");
    let at = clock.now_ms() + 4_000;
    enqueue(&jobs, burst, |_| at).await;
    clock.sleep_until(at - 100).await;
    let (cpu, before) = (cpu_seconds(), calls());
    let mut late = Vec::new();
    while late.len() < usize::try_from(burst).expect("a count") {
        late.push(started.recv().await.expect("a start"));
    }
    println!("  {:.2} s of CPU", cpu_seconds() - cpu);
    show_calls(&before);
    Late(late).show("burst");

    stop.cancel();
    worker.await.expect("no panic").expect("a stop");
    println!("{} runs in all", inside.load(Ordering::Relaxed));
}
