//! Logs, metrics and trace context: the same in every process, from the shared layers.

pub mod logs;
pub mod metrics;
pub mod trace;
