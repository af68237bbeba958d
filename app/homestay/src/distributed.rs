//! The distributed mode: some targets in this process, the others wherever their endpoints say.

use std::net::SocketAddr;

use homestay_service::{Health, Stop, shutdown_signal};
use tokio::net::{TcpListener, TcpSocket};

use crate::embedded::cannot_listen;
use crate::secrets;
use crate::settings::Settings;
use crate::system::{Place, System};
use crate::targets::{Kind, Target, Targets};

/// Connections that may wait to be accepted, as tokio's own listeners have it.
const BACKLOG: u32 = 1024;

/// Runs `targets` until a signal. The admin port answers at once; the others refuse connections until the databases are there.
///
/// # Errors
/// A sentence saying why it could not start, or which service ended it.
pub async fn run(settings: &Settings, targets: &Targets) -> Result<(), String> {
    let secrets = secrets::resolve(settings)?;
    let admin = reserve(settings, targets.first().admin)?;
    let mut ports = Vec::new();
    for target in targets.iter() {
        if let Kind::Api(port) | Kind::Rpc(port) = target.kind {
            ports.push((target, reserve(settings, port)?));
        }
    }
    warn_of_demo(settings);

    let health = Health::default();
    // Its own stop, because it serves before there is a group, and until the group is gone.
    let stop = Stop::new();
    let mut serving = Box::pin(homestay_http::serve(
        admin.listen()?,
        homestay_service::admin(health.clone()),
        stop.clone(),
    ));
    let mut signal = Box::pin(shutdown_signal());
    let opening = System::open(settings, &secrets, targets, Place::Servers, "", health.clone());
    let mut system = tokio::select! {
        system = opening => system?,
        () = &mut signal => return Ok(()),
        ended = &mut serving => return Err(format!("the admin port ended: {ended:?}")),
    };

    let mut group = system.services(settings)?;
    for (target, port) in ports {
        let listener = port.listen()?;
        match target.kind {
            Kind::Api(_) => {
                let routes = system.routes(&[target.domain], settings)?;
                group.add(target.name, move |stop| {
                    homestay_http::serve(listener, routes, stop)
                });
            }
            Kind::Rpc(_) => {
                let serve = system.take_server(target);
                group.add(target.name, move |stop| serve(listener, stop));
            }
            Kind::Mq => {}
        }
    }
    group.add("admin", move |group| async move {
        tokio::select! {
            ended = &mut serving => return ended,
            () = group.cancelled() => stop.cancel(),
        }
        serving.await
    });
    health.started();
    tracing::info!(targets = %names(targets), admin = settings.port_offset + targets.first().admin, "ready");
    group
        .run(signal, settings.grace, &system.health, &system.tasks)
        .await
        .map_err(|error| error.to_string())
}

fn names(targets: &Targets) -> String {
    targets
        .iter()
        .map(|target: &Target| target.name)
        .collect::<Vec<_>>()
        .join(" ")
}

fn warn_of_demo(settings: &Settings) {
    if settings.demo && !settings.host.is_loopback() {
        tracing::warn!(
            host = %settings.host,
            "demo accounts with a known password and the sandboxes are open to the network: set demo: false for anything but a demonstration"
        );
    }
}

/// An address that is ours, on which nobody is answered yet.
struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
}

const SETTING: &str = "HOMESTAY__HOST, HOMESTAY__PORT_OFFSET";

fn reserve(settings: &Settings, port: u16) -> Result<Reserved, String> {
    let address = SocketAddr::new(settings.host, port.saturating_add(settings.port_offset));
    let bound = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A connection of the process before this one may still be closing.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    let socket = bound().map_err(|error| cannot_listen(address, SETTING, &error))?;
    Ok(Reserved { socket, address })
}

impl Reserved {
    fn listen(self) -> Result<TcpListener, String> {
        let address = self.address;
        self.socket
            .listen(BACKLOG)
            .map_err(|error| cannot_listen(address, SETTING, &error))
    }
}
