use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use homestay_jobs::{Enqueuer, NewJob};
use homestay_service::Stop;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use tokio::time::Instant;

use crate::binding::Binding;
use crate::config::KafkaConfig;
use crate::consumer::{CONCURRENCY, Consumer, consumers};
use crate::kafka::client;
use crate::kafka::group::Group;
use crate::kafka::offsets::Place;
use crate::kafka::received::{Received, shown};

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Client = StreamConsumer<Group>;
/// The rows of a group by the topic's name at the broker, each with its name without a prefix.
type Rows = HashMap<String, (&'static str, Arc<[Arc<Consumer>]>)>;

/// Most messages begun and not stored, for one that is not done holds back those behind it.
const WINDOW: usize = 1_000;
/// Hands may be full this long before partitions are paused, so that the group does not wait for us at a rebalance.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between tries to hand over a message that neither its handler nor the job queue takes.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Longest wait for Kafka to take the last offsets and to let us go.
const LEAVE: Duration = Duration::from_secs(5);

/// Feeds the events of `group` to its rows of `table` until `stop`, then finishes what is in hand, commits and leaves the group.
///
/// An event's offset is stored after its effect: after its handler has done it, or after `jobs` has taken what the handler could
/// not do. If neither does, the event is held and handed over again. A Kafka that is away is waited for.
///
/// # Errors
/// If no client can be made of the settings.
pub async fn consume(
    config: KafkaConfig,
    group: &'static str,
    table: Vec<Binding>,
    jobs: Enqueuer,
    stop: Stop,
) -> Result<(), Failed> {
    config.validate()?;
    let rows = rows(&config, group, &table);
    if rows.is_empty() {
        stop.cancelled().await;
        return Ok(());
    }
    let context = Group::new(group, &config);
    let client = Client::from_config_and_context(&client::consumer(&config, group), context)
        .map_err(client::refused)?;
    let topics: Vec<&str> = rows.keys().map(String::as_str).collect();
    client.subscribe(&topics)?;
    run(&client, &rows, &jobs, &stop).await;
    leave(client).await;
    Ok(())
}

fn rows(config: &KafkaConfig, group: &str, table: &[Binding]) -> Rows {
    consumers(table)
        .into_iter()
        .filter_map(|(topic, all)| {
            let ours: Arc<[_]> = all.into_iter().filter(|c| c.group() == group).collect();
            (!ours.is_empty()).then(|| (format!("{}{topic}", config.topic_prefix), (topic, ours)))
        })
        .collect()
}

async fn run(client: &Client, rows: &Rows, jobs: &Enqueuer, stop: &Stop) {
    let group = client.context().clone();
    let mut hands = FuturesUnordered::new();
    let (mut paused, mut full_since) = (false, None::<Instant>);
    loop {
        let full = hands.len() >= CONCURRENCY || group.offsets().waiting() >= WINDOW;
        if !full {
            full_since = None;
            // Not at the first free hand: a pause throws away what was fetched.
            if paused && hands.len() <= CONCURRENCY / 2 {
                paused = false;
                resume(client);
            }
        }
        let give_up = full.then(|| *full_since.get_or_insert_with(Instant::now) + PATIENCE);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((place, offset, done)) = hands.next(), if !hands.is_empty() => settle(client, &place, offset, done),
            received = client.recv(), if !full || paused => match received {
                Ok(message) => {
                    group.link().answers();
                    let Some((topic, consumers)) = rows.get(rdkafka::Message::topic(&message)) else { continue };
                    let received = Received::new(&message, topic);
                    if group.offsets().begin(&received.place, received.offset) {
                        hands.push(handle(group.clone(), consumers.clone(), received, jobs.clone(), stop.clone()));
                    }
                    if paused {
                        // A partition that has just become ours.
                        pause(client);
                    }
                }
                Err(error) => group.link().failed(error.rdkafka_error_code(), &error.to_string()),
            },
            () = sleep_until(give_up), if full && !paused => {
                tracing::warn!(group = group.name(), "no hand is free: partitions are paused");
                paused = true;
                pause(client);
            }
        }
    }
    while let Some((place, offset, done)) = hands.next().await {
        settle(client, &place, offset, done);
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Does one message; whether its effect is there.
async fn handle(
    group: Arc<Group>,
    consumers: Arc<[Arc<Consumer>]>,
    received: Received,
    jobs: Enqueuer,
    stop: Stop,
) -> (Place, i64, bool) {
    let Received {
        place,
        offset,
        message,
        malformed,
    } = received;
    for consumer in consumers.iter() {
        let job = match &malformed {
            Some(text) => Some(consumer.malformed(&message, text.clone()).await),
            None => consumer.consume(&message).await,
        };
        let Some(job) = job else { continue };
        let ours = || !stop.is_cancelled() && group.offsets().holds(&place, offset);
        if !hand_over(&jobs, job, group.name(), &stop, ours).await {
            return (place, offset, false);
        }
    }
    (place, offset, true)
}

/// Enqueues the job, however long that takes, as long as the message is `ours`; whether it is done.
async fn hand_over(
    jobs: &Enqueuer,
    mut job: NewJob,
    group: &str,
    stop: &Stop,
    ours: impl Fn() -> bool,
) -> bool {
    let (mut pause, mut cut, mut held) = (BACKOFF.0, false, false);
    loop {
        let Err(error) = jobs.enqueue(vec![job.clone()]).await else {
            if held {
                tracing::info!(
                    group,
                    kind = job.kind,
                    "the job queue takes what could not be handled"
                );
            }
            return true;
        };
        let refused = error.code() == homestay_error::Code::InvalidArgument;
        if refused && !cut {
            // Too long, most likely. What is left of it is still a dead letter.
            job.payload = shown(job.payload.as_bytes());
            cut = true;
            continue;
        }
        if !std::mem::replace(&mut held, true) {
            tracing::warn!(group, kind = job.kind, error = %error.chain(),
                "an event could neither be handled nor become a job; it is held and tried again");
        }
        if !ours() {
            return false;
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        if !ours() {
            return false;
        }
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Stores how far a partition is done.
fn settle(client: &Client, place: &Place, offset: i64, done: bool) {
    // What is not done holds back its offset; it is in the next owner's hands, or in ours after a start.
    if !done {
        return;
    }
    let stored = client.context().offsets().finish(place, offset);
    if let Some(offset) = stored
        && let Err(error) = client.store_offset(&place.0, place.1, offset)
    {
        // The partition is somebody else's by now: it is delivered there again.
        tracing::debug!(topic = place.0, partition = place.1, offset, %error, "an offset was not stored");
    }
}

fn pause(client: &Client) {
    log(client.assignment().and_then(|ours| client.pause(&ours)));
}

fn resume(client: &Client) {
    tracing::info!(group = client.context().name(), "hands are free again");
    log(client.assignment().and_then(|ours| client.resume(&ours)));
}

fn log(outcome: Result<(), KafkaError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "Kafka");
    }
}

/// Commits and leaves the group. librdkafka blocks while it does, for as long as Kafka is away: on a thread of its own, which
/// ends with the process.
async fn leave(client: Client) {
    let group = client.context().name();
    let (left, waiting) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("kafka-leave".to_owned());
    let spawned = thread.spawn(move || {
        if let Err(error) = client.commit_consumer_state(CommitMode::Sync) {
            tracing::debug!(group, %error, "nothing was committed at the end");
        }
        drop(client);
        let _ = left.send(());
    });
    if spawned.is_ok() && tokio::time::timeout(LEAVE, waiting).await.is_err() {
        tracing::warn!(
            group,
            "Kafka did not let the consumer go in time: the others wait for its session to end"
        );
    }
}
