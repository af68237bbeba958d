//! mqueue-api: jobs and queues for operators. JSON out, calls to mqueue-rpc; who may look is decided there.

mod rest;

#[cfg(test)]
mod tests;

use homestay_proto::mqueue::mqueue_client::MqueueClient;
use homestay_rpc::Channel;

pub use rest::rest;

/// What the handlers need: mqueue-rpc. The channel's own identity should be an anonymous one, as every call names its actor.
#[derive(Debug, Clone)]
pub struct Api {
    mqueue: MqueueClient<Channel>,
}

impl Api {
    /// Handlers that call mqueue-rpc over `mqueue`.
    #[must_use]
    pub fn new(mqueue: Channel) -> Self {
        Self {
            mqueue: MqueueClient::new(mqueue),
        }
    }
}
