//! The job broker: the job table and the only door to it.
//!
//! A job exists from its enqueueing until it is done or dead. A claim is one guarded UPDATE that gives a lease with a fencing
//! token; attempts, backoff and dead letters are decided here, once for all. The [`Bell`] only says *look now*; every waiting
//! claim also looks once a second.

mod bell;
mod claim;
mod config;
mod enqueue;
mod finish;
mod grpc;
mod metrics;
mod rules;
mod store;
mod sweep;
mod views;

use std::sync::Arc;

use homestay_clock::{Clock, Ids};
use homestay_db::Db;
use homestay_rpc::{Allow, Methods};

pub use bell::Bell;
pub use config::Config;

/// The tables of this domain.
pub const MIGRATIONS: homestay_db::Migrations = &[(1, "job", include_str!("../migrations/1_job.sql"))];

/// Who may call what.
pub const METHODS: Methods = &[
    ("/homestay.mqueue.v1.Mqueue/Enqueue", Allow::SERVICE),
    ("/homestay.mqueue.v1.Mqueue/Claim", Allow::SERVICE.waits()),
    ("/homestay.mqueue.v1.Mqueue/Finish", Allow::SERVICE),
    ("/homestay.mqueue.v1.Mqueue/Heartbeat", Allow::SERVICE),
    ("/homestay.mqueue.v1.Mqueue/Release", Allow::SERVICE),
    ("/homestay.mqueue.v1.Mqueue/Sweep", Allow::SERVICE),
    (
        "/homestay.mqueue.v1.Mqueue/ListJobs",
        Allow::STAFF.or(Allow::SERVICE),
    ),
    (
        "/homestay.mqueue.v1.Mqueue/ListQueues",
        Allow::STAFF.or(Allow::SERVICE),
    ),
];

/// The broker. Cheap to clone; clones share the bell.
#[derive(Debug, Clone)]
pub struct MqueueService {
    db: Db,
    ids: Ids,
    clock: Clock,
    config: Arc<Config>,
    bell: Bell,
}

impl MqueueService {
    /// The broker over its database; `bell` wakes claims that wait.
    #[must_use]
    pub fn new(db: Db, ids: Ids, clock: Clock, bell: Bell, config: Config) -> Self {
        Self {
            db,
            ids,
            clock,
            config: Arc::new(config),
            bell,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_method_has_its_callers() {
        homestay_testkit::assert_methods_cover("homestay.mqueue.v1.Mqueue", super::METHODS);
    }
}
