//! What tests of more than one crate need: a database each, a fixed clock, servers and fakes in the same process.

mod database;
pub mod providers;
mod proxy;

use std::convert::Infallible;

use homestay_clock::{Clock, Ids};
use homestay_rpc::{Actor, Channel, Guard, Identity, LocalSlot, Methods};
use homestay_service::Tasks;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;
use tower::util::BoxCloneSyncService;

pub use database::{TestDb, database, on_both, postgres, sqlite};
pub use proxy::Proxy;

/// 2026-11-21T00:00:00Z in unix milliseconds: where test clocks start.
pub const NOW_MS: i64 = 1_795_219_200_000;

/// The internal credential of servers made by [`serve`].
pub const CREDENTIAL: &str = "test-credential";

/// A clock that stands at [`NOW_MS`], and ids from it.
#[must_use]
pub fn clock() -> (Clock, Ids) {
    let clock = Clock::manual(NOW_MS);
    (clock.clone(), Ids::new(clock, 0))
}

/// The server under test behind its guard; take channels with [`channel_as`].
pub fn serve<S>(server: S, methods: Methods) -> LocalSlot
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let slot = LocalSlot::default();
    slot.bind(Guard::new(CREDENTIAL, methods, Tasks::new()).local(server));
    slot
}

/// A channel that calls as `actor` unless a request names another.
#[must_use]
pub fn channel_as(slot: &LocalSlot, actor: &Actor) -> Channel {
    slot.channel(Identity::new(CREDENTIAL, actor))
}

/// Whether tests that come in two sizes are to be played at full size, as `cargo xtask prove` has them.
#[must_use]
pub fn full_size() -> bool {
    homestay_config::test_server("HOMESTAY_TEST_FULL_SIZE").is_some()
}

/// A channel to a fake peer: a generated server over a test's own implementation, without a guard.
pub fn fake<S>(server: S) -> Channel
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let slot = LocalSlot::default();
    slot.bind(BoxCloneSyncService::new(server));
    slot.channel(Identity::new(CREDENTIAL, &Actor::Service("test".into())))
}

/// Checks that a method table names exactly the methods of `package.service` in the .proto files.
///
/// # Panics
/// If it does not: a method without a row can be called by nobody, a row without a method is a spelling mistake.
pub fn assert_methods_cover(service: &str, methods: Methods) {
    use prost::Message;
    let set = prost_types::FileDescriptorSet::decode(homestay_proto::DESCRIPTOR).expect("descriptors");
    let mut declared: Vec<String> = set
        .file
        .iter()
        .flat_map(|file| {
            file.service
                .iter()
                .map(move |s| (format!("{}.{}", file.package(), s.name()), s))
        })
        .filter(|(name, _)| name == service)
        .flat_map(|(name, s)| s.method.iter().map(move |m| format!("/{name}/{}", m.name())))
        .collect();
    let mut listed: Vec<String> = methods.iter().map(|(path, _)| (*path).to_owned()).collect();
    declared.sort();
    listed.sort();
    assert!(!declared.is_empty(), "no service {service}");
    assert_eq!(listed, declared);
}
