//! The bell that all replicas hear: Redis.
//!
//! Of each queue a sorted set `<prefix>:bell:<queue>` holds the times jobs fall due, scored in milliseconds; a ring adds its
//! time and is published on `<prefix>:bell`. Who listens wakes the claims of its own process, and after a lost connection
//! reads from the sorted sets what it missed. The end of a worker is published there too, and kept nowhere. One connection a process rings, one listens.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use homestay_clock::Clock;
use homestay_error::{Error, Result};
use homestay_service::Tasks;
use redis::aio::{MultiplexedConnection, PubSubSink};
use redis::{AsyncConnectionConfig, Client, Msg, RedisError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::{Shared, Waiters, lock};
use crate::metrics;

/// Notes that wait to be sent; more are dropped, which costs those who would hear them a second at most.
const WAITING: usize = 1024;
/// Notes of one round trip.
const BATCH: usize = 256;
/// Due times kept of a queue: the next ones.
const KEPT: isize = 1000;
/// A queue nobody rings any more is forgotten after that.
const FORGOTTEN_MS: i64 = 24 * 3600 * 1000;
/// Pause before another attempt to connect.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for Redis.
const ANSWER: Duration = Duration::from_secs(1);
/// Something is published at least this often, so that a dead connection is noticed by its silence.
const BEAT: Duration = Duration::from_secs(3);
/// Silence after which the connection is made anew.
const SILENCE: Duration = Duration::from_secs(10);

/// The way to the other replicas. The last clone takes both tasks with it.
#[derive(Debug, Clone)]
pub(super) struct Others(mpsc::Sender<Note>);

/// What is told to the other replicas.
#[derive(Debug)]
enum Note {
    /// A queue is to be looked at, at that time.
    Ring(Box<str>, i64),
    /// A worker has stopped.
    Dismiss(Box<str>),
}

/// Stands in a message where a ring has its time.
const DISMISS: &str = "dismiss";

impl Others {
    pub(super) fn connect(url: &str, prefix: &str, clock: &Clock, waiters: &Shared) -> Result<Self> {
        // The cause may repeat the URL, and the URL may hold a password.
        let client =
            Client::open(url).map_err(|_| Error::invalid("redis.url", "must be like redis://host:6379"))?;
        let (send, notes) = mpsc::channel(WAITING);
        let line = Line {
            client,
            prefix: prefix.into(),
            me: rand::random::<u64>().to_string().into(),
            clock: clock.clone(),
        };
        let tasks = Tasks::new();
        tasks.detach(line.clone().send(notes));
        tasks.detach(line.listen(Arc::downgrade(waiters)));
        Ok(Self(send))
    }

    /// Never waits, never fails.
    pub(super) fn ring(&self, queue: &str, at_ms: i64) {
        self.tell(Note::Ring(queue.into(), at_ms));
    }

    /// Never waits, never fails.
    pub(super) fn dismiss(&self, worker: &str) {
        self.tell(Note::Dismiss(worker.into()));
    }

    fn tell(&self, note: Note) {
        if self.0.try_send(note).is_err() {
            metrics::BELL.with_label_values(&["dropped"]).inc();
        }
    }
}

#[derive(Clone)]
struct Line {
    client: Client,
    prefix: Arc<str>,
    /// What this process publishes it has rung already.
    me: Arc<str>,
    clock: Clock,
}

impl Line {
    fn channel(&self) -> String {
        format!("{}:bell", self.prefix)
    }

    fn key(&self, queue: &str) -> String {
        format!("{}:bell:{queue}", self.prefix)
    }

    /// Sends notes until nobody is left to write any.
    async fn send(self, mut notes: mpsc::Receiver<Note>) {
        let mut state = State::new("ring");
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let mut connection = match self.connect().await {
                Ok(connection) => connection,
                Err(error) => {
                    state.down(&error);
                    if notes.is_closed() {
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            loop {
                if let Ok(0) = timeout(BEAT, notes.recv_many(&mut batch, BATCH)).await {
                    return;
                }
                let sent = self.publish(&mut connection, &batch).await;
                let event = if sent.is_ok() { "rung" } else { "dropped" };
                metrics::BELL
                    .with_label_values(&[event])
                    .inc_by(u64::try_from(batch.len()).unwrap_or(0));
                batch.clear();
                match sent {
                    Ok(()) => state.up(),
                    Err(error) => {
                        state.down(&error);
                        break;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// One round trip for all notes; without any it only shows that we are here.
    async fn publish(
        &self,
        connection: &mut MultiplexedConnection,
        notes: &[Note],
    ) -> Result<(), RedisError> {
        let now_ms = self.clock.now_ms();
        let mut queues: HashMap<&str, Vec<i64>> = HashMap::new();
        let mut pipe = redis::pipe();
        for note in notes {
            match note {
                Note::Ring(queue, at_ms) => queues.entry(queue).or_default().push(*at_ms),
                Note::Dismiss(worker) => {
                    pipe.publish(self.channel(), format!("{} {DISMISS} {worker}", self.me))
                        .ignore();
                }
            }
        }
        if notes.is_empty() {
            pipe.publish(self.channel(), self.me.as_ref()).ignore();
        }
        for (queue, mut times) in queues {
            times.sort_unstable();
            times.dedup();
            let earliest = times.first().copied().unwrap_or(now_ms);
            let key = self.key(queue);
            let scored: Vec<(i64, i64)> = times.into_iter().map(|at_ms| (at_ms, at_ms)).collect();
            pipe.zadd_multiple(&key, &scored).ignore();
            // What is past was due a second ago: every replica has asked the database since.
            pipe.zrembyscore(&key, "-inf", now_ms - 1000).ignore();
            pipe.zremrangebyrank(&key, KEPT, -1).ignore();
            pipe.pexpire(&key, FORGOTTEN_MS).ignore();
            pipe.publish(self.channel(), format!("{} {earliest} {queue}", self.me))
                .ignore();
        }
        pipe.exec_async(connection).await
    }

    /// Hears rings until the bell is gone.
    async fn listen(self, waiters: Weak<std::sync::Mutex<Waiters>>) {
        let mut state = State::new("listen");
        while waiters.strong_count() > 0 {
            if let Err(error) = self.hear(&waiters, &mut state).await {
                state.down(&error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hear(
        &self,
        waiters: &Weak<std::sync::Mutex<Waiters>>,
        state: &mut State,
    ) -> Result<(), RedisError> {
        let silent = || RedisError::from((redis::ErrorKind::Io, "no answer in time"));
        let pubsub = timeout(ANSWER, self.client.get_async_pubsub())
            .await
            .map_err(|_| silent())??;
        // The sink keeps the connection open.
        let (mut sink, mut messages): (PubSubSink, _) = pubsub.split();
        timeout(ANSWER, sink.subscribe(self.channel()))
            .await
            .map_err(|_| silent())??;
        self.catch_up(waiters).await?;
        state.up();
        let mut heard = Instant::now();
        loop {
            match timeout(BEAT, messages.next()).await {
                Ok(Some(message)) => {
                    heard = Instant::now();
                    let Some(waiters) = waiters.upgrade() else {
                        return Ok(());
                    };
                    self.wake(&waiters, &message);
                }
                Ok(None) => return Err(silent()),
                Err(_) if waiters.strong_count() == 0 => return Ok(()),
                Err(_) if heard.elapsed() > SILENCE => return Err(silent()),
                Err(_) => {}
            }
        }
    }

    fn wake(&self, waiters: &Shared, message: &Msg) {
        let Ok(text) = message.get_payload::<String>() else {
            return;
        };
        let mut parts = text.splitn(3, ' ');
        let (from, at_ms, name) = (parts.next(), parts.next(), parts.next());
        if from == Some(&*self.me) {
            return;
        }
        match (at_ms, at_ms.map(str::parse), name) {
            (Some(DISMISS), _, Some(worker)) => lock(waiters).dismiss(worker),
            (_, Some(Ok(at_ms)), Some(queue)) => {
                metrics::BELL.with_label_values(&["heard"]).inc();
                lock(waiters).ring(queue, at_ms);
            }
            _ => {}
        }
    }

    /// Rings what others rang while nobody listened here.
    async fn catch_up(&self, waiters: &Weak<std::sync::Mutex<Waiters>>) -> Result<(), RedisError> {
        let queues: Vec<String> = match waiters.upgrade() {
            Some(waiters) => lock(&waiters).queues.keys().cloned().collect(),
            None => return Ok(()),
        };
        if queues.is_empty() {
            return Ok(());
        }
        let mut connection = self.connect().await?;
        let mut pipe = redis::pipe();
        for queue in &queues {
            pipe.zrange(self.key(queue), 0, 0);
        }
        let heads: Vec<Vec<i64>> = pipe.query_async(&mut connection).await?;
        if let Some(waiters) = waiters.upgrade() {
            let waiters = lock(&waiters);
            for (queue, head) in queues.iter().zip(heads) {
                if let Some(at_ms) = head.first() {
                    waiters.ring(queue, *at_ms);
                }
            }
        }
        Ok(())
    }
}

/// Whether a connection stands, said once when it changes.
struct State {
    what: &'static str,
    up: Option<bool>,
}

impl State {
    fn new(what: &'static str) -> Self {
        metrics::BELL_UP.with_label_values(&[what]).set(0);
        Self { what, up: None }
    }

    fn up(&mut self) {
        if self.up.replace(true) != Some(true) {
            metrics::BELL_UP.with_label_values(&[self.what]).set(1);
            tracing::info!(line = self.what, "the bell is connected to Redis");
        }
    }

    fn down(&mut self, error: &RedisError) {
        if self.up.replace(false) != Some(false) {
            metrics::BELL_UP.with_label_values(&[self.what]).set(0);
            tracing::warn!(line = self.what, %error, "the bell has lost Redis: jobs may be up to a second late");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use homestay_testkit::Proxy;

    use super::*;
    use crate::Bell;

    const LONG: Duration = Duration::from_secs(15);

    /// The Redis of the tests, and a prefix of our own.
    fn redis() -> Option<(String, String)> {
        let url = homestay_config::test_server("HOMESTAY_TEST_REDIS_URL")?;
        Some((url, format!("test-{:x}", rand::random::<u64>())))
    }

    fn bell(url: &str, prefix: &str) -> Bell {
        Bell::redis(url, prefix, &Clock::system()).expect("a Redis URL")
    }

    async fn heard(place: &super::super::Place) {
        timeout(LONG, place.rung()).await.expect("a ring in time");
    }

    /// Rings at `from` until it is heard at `to`: both are connected then.
    async fn connected(from: &Bell, to: &Bell) {
        let place = to.wait("connected", "w");
        let ring = async {
            loop {
                from.ring("connected", 1);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = heard(&place) => {}
            () = ring => {}
        }
    }

    #[tokio::test]
    async fn a_ring_is_heard_by_other_replicas_and_once_at_home() {
        let Some((url, prefix)) = redis() else { return };
        let (home, away) = (bell(&url, &prefix), bell(&url, &prefix));
        connected(&home, &away).await;
        connected(&away, &home).await;
        let (here, there) = (home.wait("order", "w"), away.wait("order", "w"));
        there.sleeps_until(1_000);

        home.ring("order", 1_000);
        home.ring("payment", 1);
        assert!(here.rung().now_or_never().is_some(), "at home at once");
        home.ring("order", 999);
        heard(&there).await;
        assert!(here.rung().now_or_never().is_some());
        // What is heard later was sent later: its own rings have come back by now, and it has not heard them.
        connected(&away, &home).await;
        assert!(here.rung().now_or_never().is_none());
        assert!(
            there.rung().now_or_never().is_none(),
            "later than it sleeps, or another queue"
        );
    }

    #[tokio::test]
    async fn what_was_rung_while_the_line_was_cut_is_heard_when_it_stands_again() {
        let Some((url, prefix)) = redis() else { return };
        let line = Proxy::to(&url).await;
        let (home, away) = (bell(&url, &prefix), bell(&line.url(&url), &prefix));
        connected(&home, &away).await;
        line.cut();
        let place = away.wait("order", "w");
        let due_ms = Clock::system().now_ms() + 60_000;
        home.ring("order", due_ms);
        // It has been sent when another hears what was sent after it.
        let other = bell(&url, &prefix);
        connected(&home, &other).await;
        assert!(place.rung().now_or_never().is_none());

        line.restore();
        heard(&place).await;
    }

    #[tokio::test]
    async fn a_redis_that_is_silent_or_gone_holds_nobody_up() {
        let Some((url, prefix)) = redis() else { return };
        let line = Proxy::to(&url).await;
        let bell = bell(&line.url(&url), &prefix);
        connected(&self::bell(&url, &prefix), &bell).await;
        for harm in [Proxy::silence, Proxy::cut] {
            harm(&line);
            let place = bell.wait("order", "w");
            let began = Instant::now();
            for _ in 0..10 * WAITING {
                bell.ring("order", 1);
            }
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            assert!(
                place.rung().now_or_never().is_some(),
                "it rings at home all the same"
            );
        }
    }

    #[tokio::test]
    async fn the_sorted_set_holds_what_comes_and_no_more() {
        let Some((url, prefix)) = redis() else { return };
        let (home, away) = (bell(&url, &prefix), bell(&url, &prefix));
        connected(&home, &away).await;
        let now_ms = Clock::system().now_ms();
        for n in 0..3 * i64::try_from(KEPT).unwrap() {
            home.ring("order", now_ms + 60_000 + n);
            if n % 100 == 0 {
                home.ring("order", now_ms - 5_000 - n);
                connected(&home, &away).await;
            }
        }
        connected(&home, &away).await;

        let mut connection = Client::open(url)
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        let key = format!("{prefix}:bell:order");
        let mut pipe = redis::pipe();
        pipe.zcard(&key).zrange(&key, 0, 0).pttl(&key);
        let (size, head, ttl): (isize, Vec<i64>, i64) = pipe.query_async(&mut connection).await.unwrap();
        assert_eq!((size, head), (KEPT, vec![now_ms + 60_000]));
        assert!((1..=FORGOTTEN_MS).contains(&ttl));
    }

    #[tokio::test]
    async fn a_worker_that_has_stopped_is_sent_home_by_all_replicas() {
        let Some((url, prefix)) = redis() else { return };
        let (home, away) = (bell(&url, &prefix), bell(&url, &prefix));
        connected(&home, &away).await;
        let (mine, other) = (away.wait("order", "order-mq-1"), away.wait("order", "order-mq-2"));

        home.dismiss("order-mq-1");

        heard(&mine).await;
        assert!((mine.dismissed(), other.dismissed()) == (true, false));
    }

    #[tokio::test]
    async fn a_password_in_a_bad_url_is_not_repeated() {
        let refused = Bell::redis("redis//:hunter2@host", "p", &Clock::system()).unwrap_err();
        assert!(!format!("{refused:?} {refused}").contains("hunter2"));
    }
}
