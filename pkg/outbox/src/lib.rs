//! The rows that carry events and jobs from a business transaction to the bus and the job broker.
//!
//! A row is written in the transaction that makes it true, and deleted after its delivery; one that could not be delivered
//! stays. Two relays a process, one for events and one for jobs, so that neither waits for the other's broker. Of several
//! processes with the same database each delivers the rows that it wrote, as its own bell tells it of these at once, and the
//! leader among them also those of processes that are gone (`homestay_db::Db::share`): no row waits to be found by looking, and
//! none is delivered by two, but for the moment in which a lead or a number changes hands, which is harmless: a row may be
//! delivered twice at any time.

mod relay;
#[cfg(test)]
mod tests;

use homestay_clock::Ids;
use homestay_db::{QueryBuilder, Tx};
use homestay_error::Result;
use homestay_jobs::NewJob;
use homestay_telemetry::trace;
use homestay_types::Event;

pub use relay::{relay_events, relay_jobs};

/// The table, as a migration of every domain that has an outbox.
pub const SCHEMA: &str = "
CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    -- 'event' or 'job'; 'refused' what nobody takes, kept for an operator: put its lane back to deliver it again.
    lane TEXT NOT NULL,
    -- Topic or job kind.
    name TEXT NOT NULL,
    -- Partition key of an event; unique key of a job, or empty.
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    -- Unix milliseconds at which a job is due, 0 at once. Rows are delivered at once, whatever this says.
    due_at_ms BIGINT NOT NULL,
    -- Tries of a job before it is a dead letter, 0 the broker's default.
    max_attempts BIGINT NOT NULL,
    traceparent TEXT NOT NULL
);
CREATE INDEX outbox_lane ON outbox (lane, id);
";

/// One row to be written.
#[derive(Debug, Clone)]
pub struct Entry {
    lane: &'static str,
    name: String,
    key: String,
    payload: String,
    due_at_ms: i64,
    max_attempts: i64,
    traceparent: String,
}

impl Entry {
    /// An event.
    ///
    /// # Panics
    /// If it cannot be written as JSON, which is a mistake in the program.
    #[must_use]
    pub fn event<E: Event>(event: &E) -> Self {
        Self {
            lane: relay::EVENT,
            name: E::TOPIC.to_owned(),
            key: event.key().to_owned(),
            payload: serde_json::to_string(event).expect("an event is plain data"),
            due_at_ms: 0,
            max_attempts: 0,
            traceparent: trace::current_header(),
        }
    }

    /// A job.
    #[must_use]
    pub fn job(job: NewJob) -> Self {
        Self {
            lane: relay::JOB,
            name: job.kind,
            key: job.unique_key.unwrap_or_default(),
            payload: job.payload,
            due_at_ms: job.due_at_ms,
            max_attempts: job.max_attempts,
            traceparent: job.traceparent,
        }
    }
}

/// Columns of what [`push_values`] writes.
pub const COLUMNS: &str = "id, lane, name, key, payload, due_at_ms, max_attempts, traceparent";

/// Writes rows in the transaction, one statement for all, and rings for the relays.
///
/// # Errors
/// Those of the database.
pub async fn push(tx: &mut Tx, ids: &Ids, entries: Vec<Entry>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut insert = tx.builder(format!("INSERT INTO outbox ({COLUMNS}) "));
    push_values(&mut insert, ids, entries);
    insert.build().execute(&mut **tx).await?;
    tx.ring();
    Ok(())
}

/// Adds `VALUES (…), (…)` of rows, in the order of [`COLUMNS`], to a statement that writes more than these. Who runs it rings
/// ([`Tx::ring`]).
pub fn push_values(statement: &mut QueryBuilder, ids: &Ids, entries: Vec<Entry>) {
    statement.push_values(entries, |mut row, entry| {
        row.push_bind(ids.id())
            .push_bind(entry.lane)
            .push_bind(entry.name)
            .push_bind(entry.key)
            .push_bind(entry.payload)
            .push_bind(entry.due_at_ms)
            .push_bind(entry.max_attempts)
            .push_bind(entry.traceparent);
    });
}
