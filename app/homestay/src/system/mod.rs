//! The one wiring of both modes: the parts of whatever targets a process runs, bound to each other and to those elsewhere.
//!
//! What differs between the modes: where databases are ([`Place`]), how a domain is called that does not run here
//! ([`links`]), and what carries events. Everything else is built once.

mod api;
mod events;
mod links;
mod mq;
mod rpc;
mod stores;

use std::sync::Arc;

use axum::Router;
use futures::future::try_join_all;
use homestay_bus::{Binding, Bus, LocalBus};
use homestay_clock::Clock;
use homestay_http::Keys;
use homestay_jobs::Enqueuer;
use homestay_service::{Health, ServiceGroup, Tasks};

pub use events::create_topics;
pub use links::Links;
pub use stores::{Place, migrations, reason};

use crate::secrets::Secrets;
use crate::settings::{Mode, Settings};
use crate::targets::{Domain, Kind, Target, Targets};

/// The parts of this process, open and bound to each other. Calls work; events, jobs and HTTP wait for the services.
pub struct System {
    pub links: Arc<Links>,
    keys: Keys,
    pub clock: Clock,
    pub tasks: Tasks,
    pub health: Health,
    bus: Option<Bus>,
    mqs: Vec<mq::Mq>,
    rpcs: Vec<rpc::Rpc>,
}

impl System {
    /// Opens the databases of the rpc targets among `targets` and binds everything. Databases on servers are waited for;
    /// `health` says so.
    ///
    /// # Errors
    /// A sentence naming what cannot be opened or made.
    pub async fn open(
        settings: &Settings,
        secrets: &Secrets,
        targets: &Targets,
        place: Place<'_>,
        base_url: &str,
        health: Health,
    ) -> Result<Self, String> {
        let clock = Clock::system();
        let tasks = Tasks::new();
        let links = Links::new(&secrets.internal_credential, settings, targets);
        let keys = Keys::new(secrets.jwt_keys.clone(), clock.clone());
        let node = node(settings, targets);
        let parts = rpc::Parts {
            settings,
            secrets,
            base_url,
            links: &links,
            keys: &keys,
            clock: &clock,
            tasks: &tasks,
            health: &health,
            node: &node,
        };
        let served = targets.served().filter_map(|domain| targets.rpc(domain));
        let rpcs = try_join_all(served.map(async |target| {
            let db = stores::open(target.domain, place, settings, &tasks, &health).await?;
            let own = db.clone();
            health.require(format!("database {}", target.domain.name()), move || {
                let db = own.clone();
                async move { db.ping().await.map_err(|error| error.to_string()) }
            });
            parts.rpc(target, db).await
        }))
        .await?;
        let mqs: Vec<mq::Mq> = targets
            .iter()
            .filter(|target| target.kind == Kind::Mq)
            .map(|target| mq::Mq::new(target, &links, settings, &clock))
            .collect::<Result<_, _>>()?;
        let bus = bus(settings, targets, &links, &mqs)?;
        Ok(Self {
            links: Arc::new(links),
            keys,
            clock,
            tasks,
            health,
            bus,
            mqs,
            rpcs,
        })
    }

    /// What runs here whoever calls: relays, sweeps, consumers, workers, tickers.
    ///
    /// # Errors
    /// A sentence naming the endpoints that are no addresses.
    pub fn services(&self, settings: &Settings) -> Result<ServiceGroup, String> {
        let mut group = ServiceGroup::default();
        for rpc in &self.rpcs {
            rpc::services(&mut group, rpc, settings, &self.links, self.bus.as_ref())?;
        }
        for mq in &self.mqs {
            mq.services(&mut group, &self.links, settings, &self.clock)?;
        }
        Ok(group)
    }

    /// The HTTP routes of these domains' api targets.
    ///
    /// # Errors
    /// As [`System::services`].
    pub fn routes(&self, domains: &[Domain], settings: &Settings) -> Result<Router, String> {
        api::routes(domains, &self.links, &self.keys, settings)
    }

    /// What serves `target` to other processes.
    ///
    /// # Panics
    /// If it is no rpc target of this process, or was taken before: mistakes in the wiring.
    pub fn take_server(&mut self, target: &Target) -> rpc::Serve {
        self.rpcs
            .iter_mut()
            .find(|rpc| rpc.target == target)
            .and_then(|rpc| rpc.serve.take())
            .expect("a server of this process, taken once")
    }
}

/// What carries the events of this process, if it writes any.
fn bus(settings: &Settings, targets: &Targets, links: &Links, mqs: &[mq::Mq]) -> Result<Option<Bus>, String> {
    match settings.mode {
        Mode::Embedded => {
            let all: Vec<Binding> = mqs.iter().flat_map(|mq| mq.table.iter().cloned()).collect();
            let jobs = Enqueuer::new(links.service("bus", Domain::Mqueue)?);
            Ok(Some(Bus::Local(LocalBus::new(&all, jobs))))
        }
        Mode::Distributed => {
            let publishes = targets.served().any(|domain| !domain.topics().is_empty());
            publishes.then(|| events::bus(&settings.kafka)).transpose()
        }
    }
}

/// The process's name in what it records: of several on one machine each has its own.
fn node(settings: &Settings, targets: &Targets) -> String {
    if settings.mode == Mode::Embedded {
        return "homestay".to_owned();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = targets.first();
    format!(
        "{}@{}:{}",
        first.name,
        host.trim(),
        first.admin.saturating_add(settings.port_offset)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use homestay_bus::Source;

    #[test]
    fn exactly_the_targets_with_topics_in_their_table_are_said_to_consume() {
        let settings = crate::settings::load(None).unwrap();
        let links = Links::new("", &settings, &Targets::all());
        for target in Targets::all().iter().filter(|target| target.kind == Kind::Mq) {
            let mq = mq::Mq::new(target, &links, &settings, &Clock::system()).unwrap();
            let topics = mq
                .table
                .iter()
                .any(|row| matches!(row.source, Source::Topic { group, .. } if group == target.name));
            assert_eq!(target.uses_kafka(), topics, "{}", target.name);
        }
    }
}
