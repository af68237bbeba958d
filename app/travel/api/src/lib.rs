//! travel-api: houses, shops and prices over HTTP. JSON in, RPC out; the rules are in travel-rpc.
//!
//! [`looklook`] is the face of contract.md §1.3, [`rest`] the one under `/v1`. Nobody needs a token to look around, and none
//! is read: those calls are made for nobody. Hosts need theirs for rules and blocks.

mod availability;
mod blocks;
mod looklook;
mod people;
mod rest;
mod rules;

#[cfg(test)]
mod tests;

use homestay_proto::travel::travel_client::TravelClient;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::{Actor, Channel, request_for};

pub use looklook::looklook;
pub use rest::rest;

/// What the handlers need: travel-rpc, and usercenter-rpc for the names of hosts and reviewers. The channels' own identity
/// should be an anonymous one.
#[derive(Debug, Clone)]
pub struct Api {
    travel: TravelClient<Channel>,
    users: UserCenterClient<Channel>,
}

impl Api {
    /// Handlers that call travel-rpc over `travel` and usercenter-rpc over `users`.
    #[must_use]
    pub fn new(travel: Channel, users: Channel) -> Self {
        Self {
            travel: TravelClient::new(travel),
            users: UserCenterClient::new(users),
        }
    }
}

/// A request for nobody in particular.
fn open<T>(message: T) -> tonic::Request<T> {
    request_for(&Actor::Anonymous, message)
}
