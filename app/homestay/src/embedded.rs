//! The embedded mode: everything in this process until a signal.

use std::net::SocketAddr;

use homestay_service::{Health, shutdown_signal};
use tokio::net::TcpListener;

use crate::folder::DataFolder;
use crate::settings::Settings;
use crate::system::{Place, System};
use crate::targets::{Domain, Targets};
use crate::{sample, secrets};

/// Runs everything until a signal.
///
/// # Errors
/// A sentence saying why it could not start, or which service ended it.
pub async fn run(settings: &Settings) -> Result<(), String> {
    let folder = DataFolder::take(&settings.data_dir)?;
    let secrets = secrets::resolve(settings)?;
    let gateway = bind(settings.gateway.listen, "HOMESTAY__GATEWAY__LISTEN").await?;
    let admin = bind(settings.admin.listen, "HOMESTAY__ADMIN__LISTEN").await?;
    let local = |listener: &TcpListener| listener.local_addr().map_err(|error| error.to_string());
    // With port 0 the address is known only now.
    let base_url = reachable(local(&gateway)?);
    let admin_url = reachable(local(&admin)?);
    if settings.demo && !settings.gateway.listen.ip().is_loopback() {
        tracing::warn!(
            listen = %settings.gateway.listen,
            "demo accounts with a known password and the sandboxes are open to the network: set demo: false for anything but a demonstration"
        );
    }

    let (targets, place) = (Targets::all(), Place::Folder(&folder));
    let system = System::open(settings, &secrets, &targets, place, &base_url, Health::default()).await?;
    let mut group = system.services(settings)?;
    let routes = system.routes(&Domain::ALL, settings)?;
    group.add("gateway", move |stop| homestay_http::serve(gateway, routes, stop));
    let health = homestay_service::admin(system.health.clone());
    group.add("admin", move |stop| homestay_http::serve(admin, health, stop));
    system.health.started();
    println!("homestay is ready at {base_url}");
    println!("metrics and health at {admin_url}");
    if settings.demo && settings.sample_data {
        let (links, clock, base_url) = (system.links.clone(), system.clock.clone(), base_url.clone());
        let marker = folder.file(sample::MARKER);
        system
            .tasks
            .clone()
            .spawn(async move { sample::first_start(&links, &clock, &marker, &base_url).await });
    }
    group
        .run(shutdown_signal(), settings.grace, &system.health, &system.tasks)
        .await
        .map_err(|error| error.to_string())
}

/// An address that a program on this machine can open: "all addresses" is none.
fn reachable(bound: SocketAddr) -> String {
    if bound.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", bound.port())
    } else {
        format!("http://{bound}")
    }
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| cannot_listen(address, setting, &error))
}

/// Why nothing can be served on `address`, and the setting that says another.
pub fn cannot_listen(address: SocketAddr, setting: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{address} is taken by another program: stop it, or set {setting} to a free address")
        }
        _ => format!("cannot listen on {address} ({setting}): {error}"),
    }
}
