//! The worker: an apalis worker over our own backend.
//!
//! apalis brings the tower stack (concurrency, timeout), runs the handlers' futures and drains them at a stop. While it drains
//! it polls the backend not at all, so claims, heartbeats and reports live on tasks of their own (facts-apalis.md):
//!
//! - `claim` asks the broker for as many jobs as there are free slots, by long poll, and hands them to the backend;
//! - `keep` prolongs the leases of what is in hand and cuts what has lost its lease;
//! - `report` hands results over, all that wait in one call.

mod backend;
mod broker;
mod hand;
mod lease;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Monitor, WorkerBuilder, WorkerBuilderExt};
use futures::future::BoxFuture;
use homestay_clock::secret_code;
use homestay_proto::mqueue as pb;
use homestay_rpc::Channel;
use homestay_service::Stop;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Handler;
use backend::Mqueue;
use broker::Broker;
use hand::Hand;
use lease::{LeaseLayer, Runner};

/// How one worker works its queue.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Queue to claim from.
    pub queue: String,
    /// Target's name, such as `order-mq`, for logs and the broker's view; made unique per start.
    pub name: String,
    /// Jobs in hand at the same time, 1 to 1000.
    pub concurrency: usize,
    /// How long a claim waits at the broker.
    pub wait: Duration,
    /// How long jobs in hand may take after the stop, before they are handed back.
    pub grace: Duration,
}

/// Longest run of a handler: its calls have deadlines, so only a mistake takes this long. Tried again after it.
const LONGEST_RUN: Duration = Duration::from_secs(5 * 60);
/// Reports in one call.
const REPORTS: usize = 256;
/// While no backlog waits, jobs and results that come within this time travel together: a call and a commit a job would cost
/// more than the job.
const LINGER: Duration = Duration::from_millis(4);
/// Time for the last words to the broker: the end of the last claim, and the release of all that is left.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Longest wait for the last claim, once the broker was told to send it home.
const LAST_CLAIM: Duration = Duration::from_millis(700);

/// Works a queue until `stop`: claims, runs the handler of each job's kind, reports, keeps leases alive.
///
/// At the stop it takes no more, lets what runs end within the grace period, and hands the rest back.
///
/// # Errors
/// Never by itself: a broker that does not answer is asked again with backoff.
pub async fn work(
    channel: Channel,
    config: WorkerConfig,
    handlers: HashMap<String, Handler>,
    stop: Stop,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let name = format!("{}-{}", config.name, secret_code(8));
    let broker = Broker::new(channel, config.queue.clone(), name.clone(), config.wait);
    let hand = Arc::new(Hand::new(config.concurrency, stop.clone()));
    let (jobs, inbox) = mpsc::unbounded_channel();
    let (reports, outbox) = mpsc::channel(REPORTS);

    // Aborted with this future: a worker that is dropped lets go of everything.
    let mut tasks = JoinSet::new();
    let claiming = tasks.spawn(claim(broker.clone(), hand.clone(), jobs, stop.clone()));
    tasks.spawn(keep(broker.clone(), hand.clone()));
    tasks.spawn(report(broker.clone(), hand.clone(), outbox));

    let backend = Mqueue::new(hand, inbox, LeaseLayer::new(reports));
    let runner = Runner::new(config.queue, handlers);
    let over = {
        let (stop, grace) = (stop.clone(), config.grace);
        async move {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        }
    };
    let signal = {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            Ok(())
        }
    };
    let concurrency = config.concurrency;
    let monitor = Monitor::new()
        .register(move |_| {
            let runner = runner.clone();
            WorkerBuilder::new(name.as_str())
                .backend(backend.clone())
                .concurrency(concurrency)
                .timeout(LONGEST_RUN)
                .build(move |job: pb::Job| runner.run(job))
        })
        .should_restart(|_, _| true)
        .with_terminator(over);
    let monitor: BoxFuture<'static, _> = Box::pin(monitor.run_with_signal(signal));
    monitor.await?;
    if !stop.is_cancelled() {
        return Err("the worker ended by itself".into());
    }

    // The last claim may still be under way; then what was cut, or never begun, goes back.
    let last_words = async {
        while !claiming.is_finished() {
            tasks.join_next().await;
        }
        broker.release(&[]).await
    };
    match tokio::time::timeout(LAST_WORDS, last_words).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %error.chain(), "leases could not be handed back and run out");
        }
        Err(_) => tracing::warn!("leases could not be handed back in time and run out"),
    }
    Ok(())
}

/// Fills free slots until the stop, then hands back what has not begun.
async fn claim(broker: Broker, hand: Arc<Hand>, jobs: mpsc::UnboundedSender<pb::Job>, stop: Stop) {
    let mut backoff = broker::Backoff::default();
    while let Some(free) = stop.run_until_cancelled(hand.free()).await {
        let claim = broker.claim(free);
        tokio::pin!(claim);
        let answer = tokio::select! {
            answer = &mut claim => answer,
            () = stop.cancelled() => {
                // Sends the waiting claim home. If another replica keeps it, which does not hear of it, it is cut: the broker
                // takes nothing for a caller that is gone, and what it took before is handed back with the rest.
                hand_back(&broker, &hand).await;
                match tokio::time::timeout(LAST_CLAIM, claim).await {
                    Ok(answer) => answer,
                    Err(_) => break,
                }
            }
        };
        match answer {
            Ok(reply) => {
                backoff.reset();
                hand.leases_last(reply.lease_ms);
                let claimed = reply.jobs.len();
                hand.backlog(claimed == free);
                for job in hand.take(reply.jobs) {
                    // The receiver lives as long as the worker.
                    let _ = jobs.send(job);
                }
                if (1..free).contains(&claimed) {
                    stop.run_until_cancelled(tokio::time::sleep(LINGER)).await;
                }
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "no jobs could be claimed; asking again");
                if stop.run_until_cancelled(backoff.pause()).await.is_none() {
                    break;
                }
            }
        }
    }
    hand_back(&broker, &hand).await;
}

async fn hand_back(broker: &Broker, hand: &Hand) {
    if let Err(error) = broker.release(&hand.begun()).await {
        tracing::warn!(error = %error.chain(), "jobs could not be handed back");
    }
}

/// Prolongs the leases of what is in hand, three times a lease.
async fn keep(broker: Broker, hand: Arc<Hand>) {
    let mut lease = hand.lease();
    loop {
        let pause = *lease.borrow_and_update() / 3;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(()) = lease.changed() => continue,
        }
        let held = hand.held();
        if held.is_empty() {
            continue;
        }
        match broker.heartbeat(&held).await {
            Ok(alive) => {
                for job in held
                    .iter()
                    .zip(alive)
                    .filter_map(|(job, alive)| (!alive).then_some(job))
                {
                    hand.lost(job);
                }
            }
            // The leases are longer than two pauses: the next one may still be in time.
            Err(error) => tracing::warn!(error = %error.chain(), "leases could not be prolonged"),
        }
    }
}

/// Hands results to the broker, and tells who waits for that whether they were still wanted.
async fn report(broker: Broker, hand: Arc<Hand>, mut outbox: mpsc::Receiver<lease::Report>) {
    let mut batch = Vec::with_capacity(REPORTS);
    while let Some(first) = outbox.recv().await {
        batch.push(first);
        if !hand.has_backlog() {
            tokio::time::sleep(LINGER).await;
        }
        while batch.len() < REPORTS
            && let Ok(more) = outbox.try_recv()
        {
            batch.push(more);
        }
        let results: Vec<pb::Result> = batch.iter().map(|report| report.result.clone()).collect();
        let mut backoff = broker::Backoff::default();
        let accepted = loop {
            match broker.finish(results.clone()).await {
                Ok(accepted) => break accepted,
                // Asking again would not help, and hold up all results after these: the leases run out, the jobs run again.
                Err(error) if !error.code().is_transient() => {
                    tracing::error!(error = %error.chain(), "results were refused");
                    break vec![false; batch.len()];
                }
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "results could not be handed over; trying again");
                    backoff.pause().await;
                }
            }
        };
        for (report, accepted) in batch.drain(..).zip(accepted) {
            // It may have been cut while it waited.
            let _ = report.answer.send(accepted);
        }
    }
}
