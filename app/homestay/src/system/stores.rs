//! The domains' databases: files in the data folder, or schemas on Postgres.

use std::time::Duration;

use homestay_db::{Db, Migrations};
use homestay_service::{Health, Tasks};

use crate::folder::DataFolder;
use crate::settings::{Settings, shown};
use crate::targets::Domain;

/// Where databases are.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// The embedded mode's folder.
    Folder(&'a DataFolder),
    /// The distributed mode's servers, as the settings name them.
    Servers,
}

/// The schema of a domain.
pub fn migrations(domain: Domain) -> Migrations {
    match domain {
        Domain::Order => order_rpc::MIGRATIONS,
        Domain::Payment => payment_rpc::MIGRATIONS,
        Domain::Travel => travel_rpc::MIGRATIONS,
        Domain::Usercenter => usercenter_rpc::MIGRATIONS,
        Domain::Mqueue => mqueue_rpc::MIGRATIONS,
    }
}

/// Between two looks at a server that does not answer, or has not been migrated.
const PAUSE: Duration = Duration::from_millis(500);
/// The same reason is logged again after so many looks.
const REMIND: u32 = 60;

/// Opens a domain's database. A file is brought up to date; a server is waited for until it answers and somebody has run
/// `homestay migrate`.
///
/// # Errors
/// A sentence naming the file that cannot be opened.
pub async fn open(
    domain: Domain,
    place: Place<'_>,
    settings: &Settings,
    tasks: &Tasks,
    health: &Health,
) -> Result<Db, String> {
    match place {
        Place::Folder(folder) => {
            let path = folder.file(&format!("{}.db", domain.name()));
            Db::open_sqlite(&path, migrations(domain), tasks.clone())
                .await
                .map_err(|error| {
                    format!(
                        "the database {} cannot be opened: {}",
                        path.display(),
                        error.chain()
                    )
                })
        }
        Place::Servers => {
            let mut told = (String::new(), 0);
            loop {
                let reason = match ready(domain, settings, tasks).await {
                    Ok(db) => {
                        if !told.0.is_empty() {
                            tracing::info!(domain = domain.name(), "the database is there");
                        }
                        return Ok(db);
                    }
                    Err(reason) => reason,
                };
                if told.0 != reason || told.1 % REMIND == 0 {
                    tracing::warn!("waiting: {reason}");
                }
                told.1 = if told.0 == reason { told.1 + 1 } else { 1 };
                health.waiting(&reason);
                told.0 = reason;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The database, if it answers and is up to date; else the reason, for an operator.
async fn ready(domain: Domain, settings: &Settings, tasks: &Tasks) -> Result<Db, String> {
    let (name, url) = (domain.name(), settings.databases.of(domain));
    let silent = |error: &homestay_error::Error| {
        format!(
            "databases.{name} ({}) does not answer: {}",
            shown(url),
            reason(error)
        )
    };
    let db = Db::open_postgres(url.expose(), settings.databases.pool, tasks.clone())
        .await
        .map_err(|error| silent(&error))?;
    let pending = db
        .pending(migrations(domain))
        .await
        .map_err(|error| silent(&error))?;
    if pending.is_empty() {
        return Ok(db);
    }
    Err(format!(
        "databases.{name} ({}) lacks the migrations {}: run homestay migrate {name}",
        shown(url),
        pending.join(", ")
    ))
}

/// What a server said, without the text that guests would see.
pub fn reason(error: &homestay_error::Error) -> String {
    let chain = error.chain();
    let cause = chain.strip_prefix(error.message()).unwrap_or(&chain);
    let cause = cause.strip_prefix(": ").unwrap_or(cause);
    if cause.is_empty() { chain } else { cause.to_owned() }
}
