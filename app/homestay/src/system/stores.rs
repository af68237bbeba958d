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
            let mut waits = Waits::new(health);
            loop {
                let reason = match ready(domain, settings, tasks).await {
                    Ok(db) => {
                        if waits.end() {
                            tracing::info!(domain = domain.name(), "the database is there");
                        }
                        return Ok(db);
                    }
                    Err(reason) => reason,
                };
                waits.tell(reason);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits until the process has its node number of a domain's database, and says why it waits.
pub async fn seated(domain: Domain, db: &Db, health: &Health) {
    let mut waits = Waits::new(health);
    while tokio::time::timeout(PAUSE, db.seated()).await.is_err() {
        let cause = match db.unseated() {
            none if none.is_empty() => "no answer yet".to_owned(),
            cause => cause,
        };
        waits.tell(format!(
            "databases.{} gives this process no node number: {cause}",
            domain.name()
        ));
    }
    if waits.end() {
        tracing::info!(domain = domain.name(), "the node number is there");
    }
}

/// What the start waits for: shown as long as it does, logged now and then.
struct Waits<'h> {
    health: &'h Health,
    reason: String,
    times: u32,
}

impl<'h> Waits<'h> {
    fn new(health: &'h Health) -> Self {
        Self {
            health,
            reason: String::new(),
            times: 0,
        }
    }

    fn tell(&mut self, reason: String) {
        if self.reason != reason {
            self.health.waits_no_more(&self.reason);
            self.times = 0;
        }
        if self.times.is_multiple_of(REMIND) {
            tracing::warn!("waiting: {reason}");
        }
        self.times += 1;
        self.health.waiting(&reason);
        self.reason = reason;
    }

    /// Whether there was something to wait for.
    fn end(self) -> bool {
        self.health.waits_no_more(&self.reason);
        !self.reason.is_empty()
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
