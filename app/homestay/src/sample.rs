//! Sample data: houses and accounts to try the system with, through the same batch calls in every mode.

use std::path::Path;

use homestay_clock::Clock;
use homestay_error::Result;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::usercenter as user;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::Channel;
use homestay_service::Health;
use travel_rpc::sample::{self, SampleData};

use crate::folder::DataFolder;
use crate::secrets;
use crate::settings::{Mode, Settings, check_callable};
use crate::system::{Links, Place, System};
use crate::targets::{Domain, Targets};

/// File in the data folder that says the sample data is complete. A start that was killed half-way does it again.
pub const MARKER: &str = "sample-data";
/// What is printed when it is.
pub const IN_PLACE: &str = "sample data is in place";

/// `homestay seed`: fills the data folder of a stopped system, or, in the distributed mode, a running one.
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
    let clock = Clock::system();
    let created = match settings.mode {
        Mode::Embedded => {
            let folder = DataFolder::take(&settings.data_dir)?;
            let secrets = secrets::resolve(settings)?;
            let (targets, place) = (Targets::all(), Place::Folder(&folder));
            let base_url = "http://127.0.0.1:8888";
            let system =
                System::open(settings, &secrets, &targets, place, base_url, Health::default()).await?;
            let created = fill(&system.links, &clock, houses).await?;
            mark(&folder.file(MARKER))?;
            created
        }
        Mode::Distributed => {
            let called = [Domain::Usercenter, Domain::Travel];
            check_callable(settings, &called, "homestay seed").map_err(|error| error.to_string())?;
            let secrets = secrets::resolve(settings)?;
            let links = Links::new(&secrets.internal_credential, settings, &Targets::none());
            fill(&links, &clock, houses).await?
        }
    };
    println!(
        "{created} houses are new; all {} are in place",
        houses + sample::demo(today(&clock)).houses.len()
    );
    Ok(())
}

/// Fills in the demo's houses unless that was done before, then prints what to try. Runs beside the system once it is ready.
pub async fn first_start(links: &Links, clock: &Clock, marker: &Path, base_url: &str) {
    if !marker.exists() {
        let outcome = fill(links, clock, 0).await;
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
/// A sentence saying which call failed.
async fn fill(links: &Links, clock: &Clock, houses: usize) -> std::result::Result<i64, String> {
    let travel = TravelClient::new(links.service("seed", Domain::Travel)?);
    let users = UserCenterClient::new(links.service("seed", Domain::Usercenter)?);
    let today = today(clock);
    let mut created = 0;
    for batch in std::iter::once(sample::demo(today)).chain(sample::bulk(houses, today)) {
        created += put(&travel, &users, batch).await.map_err(|error| error.chain())?;
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
