//! The targets a process can run: their names, ports, and whom they call (design.md §3).

use homestay_rpc::Methods;
use homestay_types::topic;

use crate::settings::Mode;

/// A domain: one schema, one gRPC server, and whoever speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    Order,
    Payment,
    Travel,
    Usercenter,
    Mqueue,
}

impl Domain {
    /// All of them, in the order of their ports.
    pub const ALL: [Self; 5] = [
        Self::Order,
        Self::Payment,
        Self::Travel,
        Self::Usercenter,
        Self::Mqueue,
    ];

    /// Its name in settings, schemas and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Travel => "travel",
            Self::Usercenter => "usercenter",
            Self::Mqueue => "mqueue",
        }
    }

    /// Topics of the events it writes.
    pub const fn topics(self) -> &'static [&'static str] {
        match self {
            Self::Order => &[topic::ORDER_CHANGED],
            Self::Payment => &[topic::PAYMENT_STATUS],
            Self::Travel | Self::Usercenter | Self::Mqueue => &[],
        }
    }

    /// Who may call which method of its server: the one table that its guard and the apis before it ask.
    pub const fn methods(self) -> Methods {
        match self {
            Self::Order => order_rpc::METHODS,
            Self::Payment => payment_rpc::METHODS,
            Self::Travel => travel_rpc::METHODS,
            Self::Usercenter => usercenter_rpc::METHODS,
            Self::Mqueue => mqueue_rpc::METHODS,
        }
    }

    /// The domain of this name.
    ///
    /// # Errors
    /// A sentence that lists the names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|domain| domain.name() == name)
            .ok_or_else(|| {
                format!(
                    "no domain is called {name:?}; there are {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            })
    }
}

/// What a target is: JSON in, the domain's rules, or events and jobs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Serves HTTP on this port.
    Api(u16),
    /// Serves gRPC on this port.
    Rpc(u16),
    /// Serves nobody.
    Mq,
}

/// One target.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    pub name: &'static str,
    pub domain: Domain,
    pub kind: Kind,
    /// Port of metrics and health, where this is the first target of its process.
    pub admin: u16,
    /// Domains whose gRPC servers it calls.
    pub calls: &'static [Domain],
}

impl Target {
    /// Whether it publishes or consumes events. (The consuming ones are held against their tables by a test.)
    pub fn uses_kafka(&self) -> bool {
        match self.kind {
            Api(_) => false,
            Rpc(_) => !self.domain.topics().is_empty(),
            Mq => self.domain == Order,
        }
    }

    /// Whether it rings the bell of the job queue, or shares the throttle of logins.
    pub fn uses_redis(&self) -> bool {
        matches!(self.kind, Rpc(_)) && matches!(self.domain, Mqueue | Usercenter)
    }
}

use Domain::{Mqueue, Order, Payment, Travel, Usercenter};
use Kind::{Api, Mq, Rpc};

/// All targets, in the order of their admin ports.
pub static ALL: [Target; 14] = [
    target("order-api", Order, Api(11001), 14001, &[Order, Payment]),
    target("order-rpc", Order, Rpc(12001), 14002, &[Travel, Payment, Mqueue]),
    target("order-mq", Order, Mq, 14003, &[Order, Mqueue]),
    target("payment-api", Payment, Api(11002), 14004, &[Payment]),
    target(
        "payment-rpc",
        Payment,
        Rpc(12002),
        14005,
        &[Order, Usercenter, Mqueue],
    ),
    target("payment-mq", Payment, Mq, 14006, &[Payment, Mqueue]),
    target("travel-api", Travel, Api(11003), 14007, &[Travel, Usercenter]),
    target("travel-rpc", Travel, Rpc(12003), 14008, &[Order]),
    target("travel-mq", Travel, Mq, 14009, &[Travel, Mqueue]),
    target("usercenter-api", Usercenter, Api(11004), 14010, &[Usercenter]),
    target("usercenter-rpc", Usercenter, Rpc(12004), 14011, &[]),
    target("mqueue-api", Mqueue, Api(11005), 14012, &[Mqueue]),
    target("mqueue-rpc", Mqueue, Rpc(12005), 14013, &[]),
    target("mqueue-mq", Mqueue, Mq, 14014, &[Order, Usercenter, Mqueue]),
];

const fn target(
    name: &'static str,
    domain: Domain,
    kind: Kind,
    admin: u16,
    calls: &'static [Domain],
) -> Target {
    Target {
        name,
        domain,
        kind,
        admin,
        calls,
    }
}

/// The targets of one process, in the order of [`ALL`].
#[derive(Debug, Clone)]
pub struct Targets(Vec<&'static Target>);

impl Targets {
    /// Every target.
    pub fn all() -> Self {
        Self(ALL.iter().collect())
    }

    /// No target: a program that only calls.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The targets of these names; all if there are none. Embedded, a process is whole: its domains share one folder.
    ///
    /// # Errors
    /// A sentence naming the target that does not exist, or that a part of them needs servers to meet in.
    pub fn named(wanted: &[String], mode: Mode) -> Result<Self, String> {
        if let Some(unknown) = wanted
            .iter()
            .find(|name| !ALL.iter().any(|target| target.name == name.as_str()))
        {
            return Err(format!(
                "no target is called {unknown:?}; there are {}",
                ALL.each_ref().map(|target| target.name).join(", ")
            ));
        }
        if wanted.is_empty() {
            return Ok(Self::all());
        }
        let named: Vec<&'static Target> = ALL
            .iter()
            .filter(|target| wanted.iter().any(|name| name == target.name))
            .collect();
        if mode == Mode::Embedded && named.len() < ALL.len() {
            return Err(format!(
                "{} cannot run apart from the others: in the embedded mode all targets share one data folder and run in one \
                 process; mode: distributed (HOMESTAY__MODE) runs each where you like",
                wanted.join(", ")
            ));
        }
        Ok(Self(named))
    }

    /// Each target.
    pub fn iter(&self) -> impl Iterator<Item = &'static Target> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The one that the process is named after.
    pub fn first(&self) -> &'static Target {
        self.0.first().expect("a process has a target")
    }

    /// The target of `domain` that serves gRPC, if this process runs it.
    pub fn rpc(&self, domain: Domain) -> Option<&'static Target> {
        self.iter()
            .find(|target| target.domain == domain && matches!(target.kind, Rpc(_)))
    }

    /// Domains whose gRPC servers run here.
    pub fn served(&self) -> impl Iterator<Item = Domain> + '_ {
        Domain::ALL
            .into_iter()
            .filter(|domain| self.rpc(*domain).is_some())
    }

    /// Domains that are called from here and run elsewhere, each with the first target that calls it.
    pub fn remote(&self) -> impl Iterator<Item = (Domain, &'static Target)> + '_ {
        Domain::ALL.into_iter().filter_map(|domain| {
            let caller = self.iter().find(|target| target.calls.contains(&domain))?;
            self.rpc(domain).is_none().then_some((domain, caller))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str], mode: Mode) -> Result<Targets, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Targets::named(&names, mode)
    }

    #[test]
    fn embedded_targets_are_all_or_refused_by_name() {
        assert_eq!(named(&[], Mode::Embedded).unwrap().count(), 14);
        let all = ALL.each_ref().map(|target| target.name);
        assert_eq!(named(&all, Mode::Embedded).unwrap().count(), 14);
        for mode in [Mode::Embedded, Mode::Distributed] {
            assert!(named(&["order-rcp"], mode).unwrap_err().contains("order-rcp"));
        }
        assert!(named(&["order-rpc"], Mode::Embedded).is_err());
    }

    #[test]
    fn what_runs_here_is_not_called_elsewhere() {
        let one = named(&["order-rpc"], Mode::Distributed).unwrap();
        let remote: Vec<_> = one.remote().map(|(domain, _)| domain).collect();
        assert_eq!(remote, [Payment, Travel, Mqueue]);
        let three = named(&["travel-rpc", "order-rpc", "order-api"], Mode::Distributed).unwrap();
        let remote: Vec<_> = three
            .remote()
            .map(|(domain, caller)| (domain, caller.name))
            .collect();
        assert_eq!(remote, [(Payment, "order-api"), (Mqueue, "order-rpc")]);
        assert_eq!(three.first().name, "order-api");
        assert_eq!(Targets::all().remote().count(), 0);
    }

    #[test]
    fn ports_are_those_of_the_design_and_no_two_are_the_same() {
        let mut ports: Vec<u16> = ALL.iter().map(|target| target.admin).collect();
        assert_eq!(ports, (14001..=14014).collect::<Vec<u16>>());
        for target in &ALL {
            let at = |base: u16| base + 1 + u16::try_from(target.domain as usize).unwrap();
            match target.kind {
                Api(port) => assert_eq!(port, at(11000), "{}", target.name),
                Rpc(port) => assert_eq!(port, at(12000), "{}", target.name),
                Mq => continue,
            }
            if let Api(port) | Rpc(port) = target.kind {
                ports.push(port);
            }
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 14 + 5 + 5);
    }
}
