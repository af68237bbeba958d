use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use homestay_types::Role;
use tonic::metadata::{Ascii, MetadataValue};

/// For whom a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody has signed in.
    Anonymous,
    /// An account, with the role its token was issued for.
    User {
        /// The account.
        id: i64,
        /// Its role.
        role: Role,
    },
    /// A process of ours, on nobody's behalf; the name is the target's, such as `order-mq`.
    Service(Arc<str>),
}

impl Actor {
    /// The account, if there is one.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        match self {
            Actor::User { id, .. } => Some(*id),
            Actor::Anonymous | Actor::Service(_) => None,
        }
    }

    /// Whether this is one of our own processes.
    #[must_use]
    pub fn is_service(&self) -> bool {
        matches!(self, Actor::Service(_))
    }

    /// Whether this is an operator or admin, or one of our own processes: may see what belongs to others.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        match self {
            Actor::User { role, .. } => matches!(role, Role::Operator | Role::Admin),
            Actor::Service(_) => true,
            Actor::Anonymous => false,
        }
    }

    /// Whether this is the account `id`, or somebody who sees all.
    #[must_use]
    pub fn may_see(&self, id: i64) -> bool {
        self.sees_all() || self.user_id() == Some(id)
    }

    /// Whether this is the account `id` and may still act as a host: whoever lost the role decides about no house, though it is
    /// theirs.
    #[must_use]
    pub fn hosts(&self, id: i64) -> bool {
        match self {
            Actor::User { id: own, role } => *own == id && *role != Role::Guest,
            Actor::Anonymous | Actor::Service(_) => false,
        }
    }

    pub(crate) fn to_metadata(&self) -> MetadataValue<Ascii> {
        self.to_string()
            .parse()
            .unwrap_or_else(|_| MetadataValue::from_static("anonymous"))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Anonymous => f.write_str("anonymous"),
            Actor::User { id, role } => write!(f, "user/{id}/{role}"),
            Actor::Service(name) => write!(f, "service/{name}"),
        }
    }
}

/// The metadata names no actor.
#[derive(Debug, PartialEq, Eq)]
pub struct MalformedActor;

impl FromStr for Actor {
    type Err = MalformedActor;

    fn from_str(text: &str) -> Result<Self, MalformedActor> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("anonymous"), None, None) => Ok(Actor::Anonymous),
            (Some("service"), Some(name), None) if !name.is_empty() => Ok(Actor::Service(name.into())),
            (Some("user"), Some(id), Some(role)) => Ok(Actor::User {
                id: id.parse().map_err(|_| MalformedActor)?,
                role: role.parse().map_err(|_| MalformedActor)?,
            }),
            _ => Err(MalformedActor),
        }
    }
}

/// Which kinds of actors may call a method, and whether it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow(u8);

impl Allow {
    /// Nobody has signed in.
    pub const ANONYMOUS: Allow = Allow(1);
    /// Any account.
    pub const USER: Allow = Allow(2);
    /// Operators and admins.
    pub const STAFF: Allow = Allow(4);
    /// Our own processes.
    pub const SERVICE: Allow = Allow(8);
    const WAITS: u8 = 16;
    /// Admins.
    pub const ADMIN: Allow = Allow(32);
    /// Everyone who has come this far.
    pub const ANYONE: Allow = Allow(15);

    /// Both kinds.
    #[must_use]
    pub const fn or(self, other: Allow) -> Allow {
        Allow(self.0 | other.0)
    }

    /// The same callers, of a long poll: it waits rather than works, so the server's limit of calls does not count it, and it
    /// ends with its caller.
    #[must_use]
    pub const fn waits(self) -> Allow {
        Allow(self.0 | Self::WAITS)
    }

    pub(crate) fn is_long_poll(self) -> bool {
        self.0 & Self::WAITS != 0
    }

    /// Whether `actor` is of an allowed kind.
    #[must_use]
    pub fn allows(self, actor: &Actor) -> bool {
        let kind = match actor {
            Actor::Anonymous => Allow::ANONYMOUS.0,
            Actor::User { role, .. } => match role {
                // What a host may do more is about their own houses: see `Actor::hosts`.
                Role::Guest | Role::Host => Allow::USER.0,
                Role::Operator => Allow::USER.0 | Allow::STAFF.0,
                Role::Admin => Allow::USER.0 | Allow::STAFF.0 | Allow::ADMIN.0,
            },
            Actor::Service(_) => Allow::SERVICE.0,
        };
        self.0 & kind != 0
    }
}

/// Who a process is to others: the internal credential, and the actor of calls that name none.
#[derive(Clone)]
pub struct Identity {
    pub(crate) credential: MetadataValue<Ascii>,
    pub(crate) actor: MetadataValue<Ascii>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// An identity with the internal credential. Use [`Actor::Anonymous`] for a process that calls on behalf of guests: a
    /// forgotten `request_for` then has no rights.
    ///
    /// # Panics
    /// If the credential is not visible ASCII; configuration checks that.
    #[must_use]
    pub fn new(credential: &str, actor: &Actor) -> Self {
        let mut credential: MetadataValue<Ascii> = credential.parse().expect("a credential of visible ASCII");
        credential.set_sensitive(true);
        Self {
            credential,
            actor: actor.to_metadata(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_survive_metadata_and_others_are_refused() {
        for actor in [
            Actor::Anonymous,
            Actor::User {
                id: 7,
                role: Role::Host,
            },
            Actor::Service("order-mq".into()),
        ] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        for bad in [
            "",
            "user",
            "user/7",
            "user/x/guest",
            "user/7/root",
            "service/",
            "service",
            "anonymous/1",
            "root",
        ] {
            assert_eq!(bad.parse::<Actor>(), Err(MalformedActor), "{bad}");
        }
    }

    #[test]
    fn a_house_is_decided_about_by_its_owner_with_the_role() {
        let user = |id, role| Actor::User { id, role };
        for (actor, hosts) in [
            (user(1, Role::Host), true),
            (user(1, Role::Guest), false),
            (user(2, Role::Host), false),
            (user(1, Role::Operator), true),
            (Actor::Anonymous, false),
            (Actor::Service("x".into()), false),
        ] {
            assert_eq!(actor.hosts(1), hosts, "{actor}");
        }
    }

    #[test]
    fn every_role_is_a_guest_too_and_an_admin_an_operator_but_a_service_is_neither() {
        let user = |role| Actor::User { id: 1, role };
        let service = Actor::Service("x".into());
        let actors = [
            Actor::Anonymous,
            user(Role::Guest),
            user(Role::Host),
            user(Role::Operator),
            user(Role::Admin),
            service,
        ];
        let table = [
            (Allow::ANONYMOUS, [true, false, false, false, false, false]),
            (Allow::USER, [false, true, true, true, true, false]),
            (Allow::STAFF, [false, false, false, true, true, false]),
            (Allow::ADMIN, [false, false, false, false, true, false]),
            (Allow::SERVICE, [false, false, false, false, false, true]),
            (Allow::ANYONE, [true; 6]),
            (
                Allow::ADMIN.or(Allow::SERVICE).waits(),
                [false, false, false, false, true, true],
            ),
        ];
        for (allow, want) in table {
            assert_eq!(
                actors.each_ref().map(|actor| allow.allows(actor)),
                want,
                "{allow:?}"
            );
        }
    }
}
