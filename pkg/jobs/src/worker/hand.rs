use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homestay_proto::mqueue as pb;
use homestay_service::Stop;
use tokio::sync::{Notify, watch};

/// The lease until the broker has told.
const LEASE: Duration = Duration::from_secs(8);
const SHORTEST_LEASE_MS: i64 = 10;
/// Most jobs in hand: the broker takes so many leases in one call.
const MOST: usize = 1000;

/// The leases a worker has in hand: claimed, begun, or waiting for the broker to take their result.
#[derive(Debug)]
pub(super) struct Hand {
    limit: usize,
    held: Mutex<HashMap<(i64, i64), Held>>,
    freed: Notify,
    backlog: AtomicBool,
    lease: watch::Sender<Duration>,
    stop: Stop,
}

#[derive(Debug, Default)]
struct Held {
    begun: bool,
    lost: Stop,
}

fn key(job: &pb::Job) -> (i64, i64) {
    (job.id, job.token)
}

fn refs(keys: impl Iterator<Item = (i64, i64)>) -> Vec<pb::JobRef> {
    keys.map(|(id, token)| pb::JobRef { id, token }).collect()
}

impl Hand {
    pub(super) fn new(limit: usize, stop: Stop) -> Self {
        Self {
            limit: limit.clamp(1, MOST),
            held: Mutex::default(),
            freed: Notify::new(),
            backlog: AtomicBool::new(false),
            lease: watch::Sender::new(LEASE),
            stop,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(i64, i64), Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for free slots; how many there are.
    pub(super) async fn free(&self) -> usize {
        loop {
            let freed = self.freed.notified();
            let held = self.lock().len();
            if held < self.limit {
                return self.limit - held;
            }
            freed.await;
        }
    }

    /// The last claim brought all it had asked for: more may be due.
    pub(super) fn backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Relaxed);
    }

    /// Whether the broker has more that is due, as far as the last claim tells.
    pub(super) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Takes claimed jobs in hand, unless the worker is to stop: then they are not ours.
    pub(super) fn take(&self, jobs: Vec<pb::Job>) -> Vec<pb::Job> {
        let mut held = self.lock();
        if self.stop.is_cancelled() {
            return Vec::new();
        }
        for job in &jobs {
            held.insert(key(job), Held::default());
        }
        jobs
    }

    /// Marks a job as begun; its token is cancelled when the lease is lost. `None` after the stop: it will be handed back.
    pub(super) fn begin(&self, job: &pb::Job) -> Option<Stop> {
        // Under the lock, so that `begun` tells the broker of every job that runs.
        let mut held = self.lock();
        if self.stop.is_cancelled() {
            return None;
        }
        let held = held.entry(key(job)).or_default();
        held.begun = true;
        Some(held.lost.clone())
    }

    /// A slot is free again.
    pub(super) fn end(&self, job: (i64, i64)) {
        self.lock().remove(&job);
        self.freed.notify_one();
    }

    /// All leases in hand.
    pub(super) fn held(&self) -> Vec<pb::JobRef> {
        refs(self.lock().keys().copied())
    }

    /// Leases of jobs that have begun: what a stopping worker keeps. The others are let go.
    pub(super) fn begun(&self) -> Vec<pb::JobRef> {
        let mut held = self.lock();
        held.retain(|_, held| held.begun);
        refs(held.keys().copied())
    }

    /// The broker has given the lease to somebody else.
    pub(super) fn lost(&self, job: &pb::JobRef) {
        if let Some(held) = self.lock().get(&(job.id, job.token)) {
            held.lost.cancel();
        }
    }

    /// What the broker says of the length of leases.
    pub(super) fn leases_last(&self, ms: i64) {
        if ms == 0 {
            return;
        }
        let lease = Duration::from_millis(ms.max(SHORTEST_LEASE_MS).unsigned_abs());
        self.lease
            .send_if_modified(|known| std::mem::replace(known, lease) != lease);
    }

    /// The length of leases.
    pub(super) fn lease(&self) -> watch::Receiver<Duration> {
        self.lease.subscribe()
    }
}
