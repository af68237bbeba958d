//! The database under the system: asked by its own command line client, beside our program.

use std::path::PathBuf;
use std::process::Command;

use crate::process::output;
use crate::usage;

/// Where the domains' tables are.
#[derive(Debug, Clone)]
pub enum Store {
    /// The data folder of the embedded mode.
    Sqlite(PathBuf),
    /// A server, by the URL of its administrator.
    Postgres { url: String, postmaster: u32 },
}

/// What Postgres has counted since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    pub commits: f64,
    pub wal_syncs: f64,
    /// Statements, where pg_stat_statements is loaded.
    pub statements: Option<f64>,
}

impl Store {
    /// The server behind `url`.
    ///
    /// # Errors
    /// Those of psql.
    pub fn postgres(url: &str) -> Result<Self, String> {
        let first = psql(
            url,
            "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)",
        )?;
        Ok(Self::Postgres {
            url: url.to_owned(),
            postmaster: first.parse().map_err(|_| format!("{first} is no pid"))?,
        })
    }

    /// CPU seconds of the server's processes; none for SQLite, which is in ours.
    ///
    /// # Errors
    /// A sentence if the server is gone.
    pub fn cpu(&self) -> Result<f64, String> {
        match self {
            Self::Sqlite(_) => Ok(0.0),
            Self::Postgres { postmaster, .. } => usage::cpu_of_tree(*postmaster),
        }
    }

    /// Rows that are still on their way: outboxes, and jobs that are due.
    ///
    /// # Errors
    /// Those of sqlite3 or psql.
    pub fn waiting(&self) -> Result<u64, String> {
        let rows = match self {
            Self::Sqlite(folder) => {
                let ask = |file: &str, sql: &str| {
                    let path = folder.join(file);
                    output(
                        Command::new("sqlite3")
                            .args(["-readonly", "-cmd", ".timeout 2000"])
                            .arg(path)
                            .arg(sql),
                    )
                };
                let outbox = "SELECT count(*) FROM outbox";
                let due = "SELECT count(*) FROM job WHERE state < 2 AND due_at_ms <= unixepoch() * 1000";
                vec![
                    ask("order.db", outbox)?,
                    ask("payment.db", outbox)?,
                    ask("mqueue.db", due)?,
                ]
            }
            Self::Postgres { url, .. } => vec![psql(
                url,
                "SELECT (SELECT count(*) FROM homestay_order.outbox) + (SELECT count(*) FROM homestay_payment.outbox) \
                 + (SELECT count(*) FROM homestay_mqueue.job WHERE state < 2 AND due_at_ms <= extract(epoch FROM now()) * 1000)",
            )?],
        };
        rows.iter()
            .map(|row| {
                row.trim()
                    .parse::<u64>()
                    .map_err(|_| format!("{row:?} is no count"))
            })
            .sum()
    }

    /// What the server has counted; `None` for SQLite.
    ///
    /// # Errors
    /// Those of psql.
    pub fn counters(&self) -> Result<Option<Counters>, String> {
        let Self::Postgres { url, .. } = self else {
            return Ok(None);
        };
        let number = |sql: &str| -> Result<f64, String> {
            let text = psql(url, sql)?;
            text.parse().map_err(|_| format!("{text:?} is no number"))
        };
        Ok(Some(Counters {
            commits: number("SELECT sum(xact_commit) FROM pg_stat_database")?,
            wal_syncs: number("SELECT wal_sync FROM pg_stat_wal")?,
            statements: number("SELECT sum(calls) FROM pg_stat_statements").ok(),
        }))
    }
}

/// One value from the server.
///
/// # Errors
/// Those of psql.
pub fn psql(url: &str, sql: &str) -> Result<String, String> {
    let text = output(Command::new("psql").args(["-XtAq", "-v", "ON_ERROR_STOP=1", url, "-c", sql]))?;
    Ok(text.trim().to_owned())
}
