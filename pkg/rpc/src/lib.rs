//! Calls between domains: one client channel, one server guard, whatever lies in between.
//!
//! [`Channel`] is what generated clients run over: straight onto the generated server in the same process (3 µs), or HTTP/2
//! to another one. Both carry deadline, trace context, internal credential and [`Actor`] the same way, and [`Guard`] checks
//! them the same way, so domain code cannot tell the two apart.

mod actor;
mod channel;
pub mod deadline;
mod guard;
mod health;
mod peers;
mod remote;
mod resolve;
mod serve;

pub use actor::{Actor, Allow, Identity};
pub use channel::{Channel, LocalSlot};
pub use guard::{Guard, LocalService, Methods, actor};
pub use resolve::Resolver;
pub use serve::{Serving, serve};

/// Metadata that proves a call comes from inside.
const CREDENTIAL: &str = "x-homestay-credential";
/// Metadata that names for whom it is made.
const ACTOR: &str = "x-homestay-actor";
/// Deadline of a call (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
const TIMEOUT: &str = "grpc-timeout";

/// A request with a message, made for `actor` instead of for the process itself.
pub fn request_for<T>(actor: &Actor, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert(ACTOR, actor.to_metadata());
    request
}
