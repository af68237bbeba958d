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

/// A row for each two living holds of different orders that overlap in a unit, nights after a stay included, and for each night
/// that is taken twice. It asks neither a key nor an index. `{travel}.` stands before each table: the schema of the tables, where
/// they have one.
pub const SOLD_TWICE: &str = "SELECT a.order_sn || ' and ' || b.order_sn FROM {travel}.hold a JOIN {travel}.hold b \
    ON b.house_id = a.house_id AND b.unit = a.unit AND b.order_sn > a.order_sn \
    AND b.check_in < a.check_out + a.buffer_days AND a.check_in < b.check_out + b.buffer_days \
    WHERE a.state IN ('held', 'bound') AND b.state IN ('held', 'bound') \
    UNION ALL SELECT 'house ' || CAST(house_id AS TEXT) || ' day ' || CAST(day AS TEXT) FROM {travel}.night \
    GROUP BY house_id, day, unit HAVING COUNT(*) > 1";

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
