//! A running system, and what it has used so far.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::metrics;
use crate::process::Process;
use crate::store::{Counters, Store};
use crate::usage;
use crate::world::Addresses;

/// Longest wait until outboxes and queues are empty.
const PATIENCE: Duration = Duration::from_secs(60);

/// A system that was started for the load. Ends with this value.
pub struct System {
    pub name: String,
    pub addresses: Addresses,
    /// Where metrics are.
    pub admins: Vec<SocketAddr>,
    pub processes: Vec<Process>,
    pub store: Store,
}

/// CPU seconds so far.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    pub ours: f64,
    pub database: f64,
}

/// Everything countable so far.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub hops: f64,
    pub database: Option<Counters>,
}

impl System {
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// # Errors
    /// A sentence naming a process that has ended.
    pub fn used(&self) -> Result<Used, String> {
        Ok(Used {
            ours: usage::cpu(&self.pids())?,
            database: self.store.cpu()?,
        })
    }

    /// # Errors
    /// Those of the admin ports and of psql.
    pub async fn counts(&self) -> Result<Counts, String> {
        Ok(Counts {
            hops: metrics::sum(&self.admins, "homestay_rpc_client_requests_total").await?,
            database: self.store.counters()?,
        })
    }

    /// Waits until outboxes are empty and nothing due is left in the queues, and how long that took.
    ///
    /// # Errors
    /// A sentence if something stays.
    pub async fn drained(&self) -> Result<Duration, String> {
        let begin = Instant::now();
        loop {
            let waiting = self.store.waiting()?;
            if waiting == 0 {
                return Ok(begin.elapsed());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!(
                    "{waiting} rows of outboxes and queues are still there after {} s",
                    PATIENCE.as_secs()
                ));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
