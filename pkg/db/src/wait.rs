use std::str::FromStr;
use std::time::Duration;

use homestay_error::{Error, Result};
use sqlx::any::AnyConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout};

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Waits until a Postgres server takes connections: one that starts, or is away for a moment, as when all of a system starts
/// at once. `waits` is told the first failure, once.
///
/// # Errors
/// [`homestay_error::Code::Unavailable`] if it takes none within `patience`; at once what waiting does not cure: a refused
/// password, a database that does not exist, a URL that cannot be read.
pub async fn await_postgres(url: &str, patience: Duration, waits: impl FnOnce(&Error)) -> Result<()> {
    sqlx::any::install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let until = Instant::now() + patience;
    let mut waits = Some(waits);
    loop {
        let error = match timeout(ANSWER, options.connect()).await {
            Ok(Ok(conn)) => {
                // It has answered; how it takes the farewell does not matter.
                conn.close().await.ok();
                return Ok(());
            }
            Ok(Err(error)) if !is_passing(&error) => return Err(error.into()),
            Ok(Err(error)) => Error::from(error),
            Err(_) => Error::unavailable("no answer"),
        };
        if Instant::now() + PAUSE >= until {
            return Err(error);
        }
        if let Some(waits) = waits.take() {
            waits(&error);
        }
        sleep(PAUSE).await;
    }
}

/// Nobody is there, or it starts, stops or is full.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}
