//! `homestay migrate`: roles, schemas, migrations and topics of the distributed mode.

use std::time::Duration;

use homestay_config::Secret;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::settings::{Settings, check_migratable, shown};
use crate::system::{create_topics, migrations, reason};
use crate::targets::Domain;

/// How long a server that does not answer is waited for: long enough for one that starts together with this, or moves.
const PATIENCE: Duration = Duration::from_secs(60);

/// Migrates one domain or all, and makes the topics of their events.
///
/// A Kafka that does not answer is told, and not a failure: bookings do not need it, so it must not keep an rpc process
/// (whose initContainer this is) from starting; that process makes the topics as soon as it can.
///
/// # Errors
/// A sentence naming the setting, or the database that does not answer or refuses a migration. What was done before stays.
pub async fn run(settings: &Settings, domain: Option<&str>, admin_url: Option<&str>) -> Result<(), String> {
    let domains = match domain {
        Some(name) => vec![Domain::named(name)?],
        None => Domain::ALL.to_vec(),
    };
    check_migratable(settings, &domains).map_err(|error| error.to_string())?;
    for domain in &domains {
        let (name, url) = (domain.name(), settings.databases.of(*domain));
        if let Some(admin_url) = admin_url {
            provision(admin_url, *domain, url).await?;
        }
        let setting = format!("databases.{name}");
        await_postgres(&setting, url).await?;
        homestay_db::migrate_postgres(url.expose(), migrations(*domain))
            .await
            .map_err(|error| format!("{setting} ({}): {}", shown(url), reason(&error)))?;
        println!("{name} is up to date");
    }
    let topics: Vec<&str> = domains
        .iter()
        .flat_map(|domain| domain.topics())
        .copied()
        .collect();
    if settings.kafka.brokers.is_empty() || topics.is_empty() {
        return Ok(());
    }
    match create_topics(&settings.kafka, &topics).await {
        Ok(()) => println!("topics {} are there", topics.join(", ")),
        Err(reason) => eprintln!(
            "homestay: {reason}. The databases are up to date; the rpc targets make the topics {} once Kafka answers.",
            topics.join(", ")
        ),
    }
    Ok(())
}

/// Makes the role that the domain's URL names, with its password, and its schema, if they are missing.
async fn provision(admin_url: &str, domain: Domain, url: &Secret) -> Result<(), String> {
    let name = domain.name();
    let unfit = || {
        format!(
            "databases.{name}: needs a user called homestay_… and a password, for the role to be made with them"
        )
    };
    let url = Url::parse(url.expose()).map_err(|_| unfit())?;
    // homestay_order usually; tests and second systems on one server have their own.
    let role = url.username().strip_prefix("homestay_").ok_or_else(unfit)?;
    let password = url.password().ok_or_else(unfit)?;
    let password = percent_decode_str(password).decode_utf8().map_err(|_| unfit())?;
    let admin = Secret::new(admin_url);
    await_postgres("--admin-url", &admin).await?;
    homestay_db::provision(admin_url, role, &password)
        .await
        .map_err(|error| format!("--admin-url ({}): {}", shown(&admin), reason(&error)))
}

/// Waits for a server, and says so once.
async fn await_postgres(setting: &str, url: &Secret) -> Result<(), String> {
    let waits = |error: &homestay_error::Error| {
        eprintln!(
            "homestay: {setting} ({}) does not answer, and is waited for up to {} s: {}",
            shown(url),
            PATIENCE.as_secs(),
            reason(error)
        );
    };
    homestay_db::await_postgres(url.expose(), PATIENCE, waits)
        .await
        .map_err(|error| format!("{setting} ({}): {}", shown(url), reason(&error)))
}
