//! Jobs: how they are enqueued, what their handlers see, and the worker that runs them.
//!
//! The broker (mqueue-rpc) keeps the rows, leases, attempts, backoff and dead letters. Workers are apalis workers over our
//! own backend, which speaks to the broker ([`work`]).

mod delivery;
mod job;
mod worker;

pub use delivery::{Delivery, Failure, Handler, handler};
pub use job::{Enqueuer, NewJob};
pub use worker::{WorkerConfig, work};
