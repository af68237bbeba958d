//! Sample data: houses and accounts to try the system with, through the same batch calls in every mode.

use std::path::Path;

use homestay_clock::Clock;
use homestay_error::Result;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::usercenter as user;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::Channel;
use travel_rpc::sample::{self, SampleData};

use crate::folder::DataFolder;
use crate::secrets;
use crate::settings::Settings;
use crate::system::System;

/// File in the data folder that says the sample data is complete. A start that was killed half-way does it again.
pub const MARKER: &str = "sample-data";
/// What is printed when it is.
pub const IN_PLACE: &str = "sample data is in place";

/// `homestay seed`: opens the data folder of a stopped system and fills it.
///
/// # Errors
/// A sentence: the system runs, or what failed.
pub async fn seed(settings: &Settings, houses: usize) -> std::result::Result<(), String> {
    if !settings.demo {
        return Err(
            "seed needs demo: true (HOMESTAY__DEMO): sample accounts have a password that everybody knows"
                .to_owned(),
        );
    }
    let folder = DataFolder::take(&settings.data_dir)?;
    let secrets = secrets::resolve(settings)?;
    let system = System::open(settings, "http://127.0.0.1:8888", &folder, &secrets).await?;
    let created = fill(&system, houses).await.map_err(|error| error.chain())?;
    mark(&folder.file(MARKER))?;
    println!(
        "{created} houses are new; all {} are in place",
        houses + sample::demo(today(&Clock::system())).houses.len()
    );
    Ok(())
}

/// Fills in the demo's houses unless that was done before, then prints what to try. Runs beside the system once it is ready.
pub async fn first_start(system: &System, marker: &Path, base_url: &str) {
    if !marker.exists() {
        let outcome = fill(system, 0).await.map_err(|error| error.chain());
        if let Err(error) = outcome.and_then(|_| mark(marker)) {
            tracing::error!(%error, "the sample data could not be put in place; the next start tries again");
            return;
        }
    }
    println!("{IN_PLACE}\n\nDemo accounts, password {}:", sample::PASSWORD);
    for account in sample::ACCOUNTS {
        println!("  {:<10}{}  {}", account.role, account.mobile, account.nickname);
    }
    println!(
        "\nTry, in another terminal:\n  curl '{base_url}/v1/homestays?city=Hangzhou&limit=3'\n  cargo run -- demo --base {base_url}\n  \
         curl {base_url}/v1/sessions -H 'Content-Type: application/json' -d '{}'\n\nThe API is described at {base_url}/docs",
        serde_json::json!({ "mobile": sample::ACCOUNTS[0].mobile, "password": sample::PASSWORD })
    );
}

fn mark(marker: &Path) -> std::result::Result<(), String> {
    std::fs::write(marker, "complete\n")
        .map_err(|error| format!("cannot write {}: {error}", marker.display()))
}

/// Puts the demo's data and `houses` more in place; how many houses were new. Repeating it changes nothing.
///
/// # Errors
/// Those of the calls.
async fn fill(system: &System, houses: usize) -> Result<i64> {
    let (travel, users) = system.seeding();
    let today = today(&system.clock);
    let mut created = put(&travel, &users, sample::demo(today)).await?;
    for batch in sample::bulk(houses, today) {
        created += put(&travel, &users, batch).await?;
    }
    Ok(created)
}

/// Accounts first: shops and houses name them by the ids they get.
async fn put(
    travel: &TravelClient<Channel>,
    users: &UserCenterClient<Channel>,
    data: SampleData,
) -> Result<i64> {
    let accounts = user::SeedRequest {
        users: data.users.clone(),
    };
    let ids = users.clone().seed(patient(accounts)).await?.into_inner().ids;
    let reply = travel.clone().seed(patient(data.seed_request(&ids))).await?;
    Ok(reply.into_inner().houses_created)
}

/// A batch may take longer than a guest would wait.
fn patient<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(std::time::Duration::from_secs(60));
    request
}

fn today(clock: &Clock) -> jiff::civil::Date {
    clock.now().to_zoned(jiff::tz::TimeZone::UTC).date()
}
