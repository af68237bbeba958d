//! usercenter-api: accounts and sessions over HTTP. JSON in, RPC out; the rules are in usercenter-rpc.
//!
//! [`looklook`] is the face of contract.md §1.3, [`rest`] the one under `/v1`.

mod looklook;
mod rest;

#[cfg(test)]
mod tests;

use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_rpc::Channel;

pub use looklook::looklook;
pub use rest::rest;

/// What the handlers need: usercenter-rpc. The channel's own identity should be an anonymous one, as every call names its
/// actor.
#[derive(Debug, Clone)]
pub struct Api {
    users: UserCenterClient<Channel>,
}

impl Api {
    /// Handlers that call usercenter-rpc over `usercenter`.
    #[must_use]
    pub fn new(usercenter: Channel) -> Self {
        Self {
            users: UserCenterClient::new(usercenter),
        }
    }
}
