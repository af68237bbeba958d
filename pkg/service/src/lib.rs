//! What every process is made of: services in a group, tasks that run to their end, health, and the admin port.
//!
//! A service is a future that gets a stop token; a process is a list of services (go-zero's ServiceGroup, with errors and a
//! deadline). The first signal, error, panic or early return stops all.

mod admin;
mod group;
mod health;
mod tasks;

pub use admin::admin;
pub use group::{GroupError, ServiceGroup, shutdown_signal};
pub use health::Health;
pub use tasks::Tasks;
pub use tokio_util::sync::CancellationToken as Stop;
