//! Logs to standard error: JSON for machines, plain lines for people.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line, with the fields of its spans (trace id, order number).
    Json,
    /// For people.
    Human,
}

/// Starts logging at `level` (a `tracing` filter, such as `info` or `homestay=debug,info`).
///
/// # Errors
/// If `level` is no filter, or logging has been started before.
pub fn init(format: Format, level: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(level)?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish()
            .try_init()?,
        Format::Human => {
            // Colours are for terminals, not for files.
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_target(false).with_ansi(colours).finish().try_init()?;
        }
    }
    Ok(())
}
