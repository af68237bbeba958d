//! How each domain is called from this process: in it where its server runs here, else over the network.

use std::sync::OnceLock;

use homestay_rpc::{Actor, Channel, Identity, LocalSlot};

use crate::settings::Settings;
use crate::targets::{Domain, Target, Targets};

/// The way to every domain's server.
pub struct Links {
    credential: String,
    links: [Link; Domain::ALL.len()],
}

enum Link {
    /// Its place in this process. Also that of a domain which nothing here calls: what calls it all the same is told that the
    /// peer has not started.
    Here(LocalSlot),
    /// Its addresses, and the one way there, made when first used: that needs the runtime.
    Elsewhere(Vec<String>, OnceLock<Channel>),
}

impl Links {
    /// Links for a process that runs `targets`.
    pub fn new(credential: &str, settings: &Settings, targets: &Targets) -> Self {
        let links = Domain::ALL.map(|domain| {
            let endpoints = settings.endpoints.of(domain);
            if targets.rpc(domain).is_some() || endpoints.is_empty() {
                Link::Here(LocalSlot::default())
            } else {
                Link::Elsewhere(endpoints.to_vec(), OnceLock::new())
            }
        });
        Self {
            credential: credential.to_owned(),
            links,
        }
    }

    /// The credential that proves calls between our own processes.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// The place of a server that runs here.
    ///
    /// # Panics
    /// If it does not: a mistake in the wiring.
    pub fn slot(&self, domain: Domain) -> &LocalSlot {
        match &self.links[domain as usize] {
            Link::Here(slot) => slot,
            Link::Elsewhere(..) => panic!("{} runs elsewhere", domain.name()),
        }
    }

    /// A channel on which `target` calls as itself.
    ///
    /// # Errors
    /// A sentence naming the endpoints that are no addresses.
    pub fn of(&self, target: &Target, domain: Domain) -> Result<Channel, String> {
        debug_assert!(
            target.calls.contains(&domain),
            "{} is not said to call {}",
            target.name,
            domain.name()
        );
        self.service(target.name, domain)
    }

    /// A channel on which one of our own programs calls by its name.
    ///
    /// # Errors
    /// As [`Links::of`].
    pub fn service(&self, name: &str, domain: Domain) -> Result<Channel, String> {
        self.channel(domain, &Actor::Service(name.into()))
    }

    /// A channel for guests' calls, which name their actor; one that forgets to has no rights. What the domain's table does not
    /// allow the actor is refused before it is sent.
    ///
    /// # Errors
    /// As [`Links::of`].
    pub fn guests(&self, domain: Domain) -> Result<Channel, String> {
        Ok(self
            .channel(domain, &Actor::Anonymous)?
            .admitting(domain.methods()))
    }

    fn channel(&self, domain: Domain, actor: &Actor) -> Result<Channel, String> {
        let identity = Identity::new(&self.credential, actor);
        match &self.links[domain as usize] {
            Link::Here(slot) => Ok(slot.channel(identity)),
            Link::Elsewhere(endpoints, way) => {
                if let Some(way) = way.get() {
                    return Ok(way.with_identity(identity));
                }
                let made = Channel::remote(endpoints, identity.clone())
                    .map_err(|error| format!("endpoints.{}: {}", domain.name(), error.message()))?;
                Ok(way.get_or_init(|| made).with_identity(identity))
            }
        }
    }
}
