//! Wakes claims that wait: it says *look now*, never what is there. Losing a ring costs a second, never a job.

mod shared;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homestay_clock::Clock;
use homestay_error::Result;
use tokio::sync::Notify;

/// The bells of all queues: of this process, or of all replicas.
#[derive(Debug, Clone, Default)]
pub struct Bell {
    waiters: Shared,
    others: Option<shared::Others>,
}

/// Who waits in this process.
type Shared = Arc<Mutex<Waiters>>;

#[derive(Debug, Default)]
struct Waiters {
    next: u64,
    closed: bool,
    queues: HashMap<String, HashMap<u64, Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    worker: String,
    /// Sleeps until then: what is due later need not wake it.
    until_ms: i64,
    dismissed: bool,
    wake: Arc<Notify>,
}

/// A claim's place at the bell; gone with it.
#[derive(Debug)]
pub struct Place {
    bell: Bell,
    queue: String,
    id: u64,
    wake: Arc<Notify>,
}

impl Bell {
    /// A bell that only this process hears.
    #[must_use]
    pub fn memory() -> Self {
        Self::default()
    }

    /// A bell that all replicas on this Redis hear; its keys and its channel begin with `prefix`. It connects by itself, and
    /// again whenever the connection is lost: what is not heard meanwhile comes a second late. To be made on the runtime.
    ///
    /// # Errors
    /// [`homestay_error::Code::InvalidArgument`] if `url` is no Redis URL.
    pub fn redis(url: &str, prefix: &str, clock: &Clock) -> Result<Self> {
        let waiters = Shared::default();
        let others = shared::Others::connect(url, prefix, clock, &waiters)?;
        Ok(Self {
            waiters,
            others: Some(others),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        lock(&self.waiters)
    }

    /// Takes a place, before the first look: what comes between look and sleep then wakes it.
    #[must_use]
    pub fn wait(&self, queue: &str, worker: &str) -> Place {
        let wake = Arc::new(Notify::new());
        let mut waiters = self.lock();
        waiters.next += 1;
        let id = waiters.next;
        let waiter = Waiter {
            worker: worker.to_owned(),
            until_ms: i64::MAX,
            dismissed: false,
            wake: wake.clone(),
        };
        waiters
            .queues
            .entry(queue.to_owned())
            .or_default()
            .insert(id, waiter);
        drop(waiters);
        Place {
            bell: self.clone(),
            queue: queue.to_owned(),
            id,
            wake,
        }
    }

    /// A job of the queue is to be looked at at `at_ms`: wakes who would sleep longer, here at once and elsewhere soon.
    pub fn ring(&self, queue: &str, at_ms: i64) {
        self.lock().ring(queue, at_ms);
        if let Some(others) = &self.others {
            others.ring(queue, at_ms);
        }
    }

    /// Sends a worker's waiting claims home, here at once and elsewhere soon: it has stopped, and what they would take nobody
    /// would receive.
    pub fn dismiss(&self, worker: &str) {
        self.lock().dismiss(worker);
        if let Some(others) = &self.others {
            others.dismiss(worker);
        }
    }

    /// Sends all waiting claims of this process home, and lets none wait from now on: it stops, and others serve them.
    pub fn close(&self) {
        let mut waiters = self.lock();
        waiters.closed = true;
        for waiter in waiters.queues.values().flat_map(HashMap::values) {
            waiter.wake.notify_one();
        }
    }
}

fn lock(waiters: &Shared) -> MutexGuard<'_, Waiters> {
    waiters.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiters {
    fn ring(&self, queue: &str, at_ms: i64) {
        if let Some(places) = self.queues.get(queue) {
            for waiter in places.values().filter(|waiter| at_ms < waiter.until_ms) {
                waiter.wake.notify_one();
            }
        }
    }

    fn dismiss(&mut self, worker: &str) {
        for waiter in self.queues.values_mut().flat_map(HashMap::values_mut) {
            if waiter.worker == worker {
                waiter.dismissed = true;
                waiter.wake.notify_one();
            }
        }
    }
}

impl Place {
    /// Says until when this claim sleeps if nothing rings. `i64::MAX`: any ring wakes it.
    pub fn sleeps_until(&self, until_ms: i64) {
        self.with(|waiter| waiter.until_ms = until_ms);
    }

    /// Whether the claim was sent home.
    #[must_use]
    pub fn dismissed(&self) -> bool {
        let closed = self.bell.lock().closed;
        closed || self.with(|waiter| waiter.dismissed).unwrap_or(true)
    }

    /// Waits for a ring. One that came since the last wait counts.
    pub async fn rung(&self) {
        self.wake.notified().await;
    }

    fn with<T>(&self, act: impl FnOnce(&mut Waiter) -> T) -> Option<T> {
        let mut waiters = self.bell.lock();
        let waiter = waiters.queues.get_mut(&self.queue)?.get_mut(&self.id)?;
        Some(act(waiter))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiters = self.bell.lock();
        if let Some(places) = waiters.queues.get_mut(&self.queue) {
            places.remove(&self.id);
            if places.is_empty() {
                waiters.queues.remove(&self.queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn rung(place: &Place) -> bool {
        place.rung().now_or_never().is_some()
    }

    #[test]
    fn only_an_earlier_job_of_the_same_queue_wakes() {
        let bell = Bell::memory();
        let place = bell.wait("order", "w");
        bell.ring("order", 5_000);
        assert!(rung(&place), "it has not looked yet: anything may matter");

        place.sleeps_until(1_000);
        bell.ring("order", 1_000);
        bell.ring("order", 2_000);
        bell.ring("payment", 1);
        assert!(!rung(&place));

        bell.ring("order", 999);
        bell.ring("order", 3_000);
        assert!(rung(&place));
        assert!(!rung(&place), "a ring is heard once");
    }

    #[test]
    fn a_stopped_worker_is_sent_home_and_nobody_else() {
        let bell = Bell::memory();
        let (mine, other) = (bell.wait("order", "mine"), bell.wait("order", "other"));
        bell.dismiss("mine");
        assert!((rung(&mine), mine.dismissed()) == (true, true));
        assert!((rung(&other), other.dismissed()) == (false, false));
    }

    #[test]
    fn a_closed_bell_sends_all_home_and_keeps_nobody_waiting() {
        let bell = Bell::memory();
        let place = bell.wait("order", "w");
        bell.close();
        assert!((rung(&place), place.dismissed()) == (true, true));
        assert!(bell.wait("order", "later").dismissed());
    }

    #[test]
    fn a_place_is_gone_with_its_claim() {
        let bell = Bell::memory();
        drop(bell.wait("order", "w"));
        assert!(bell.lock().queues.is_empty());
    }
}
