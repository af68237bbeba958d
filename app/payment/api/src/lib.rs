//! payment-api: paying over HTTP. JSON and raw callbacks in, calls to payment-rpc out.

mod callback;
mod cases;
mod looklook;
mod page;
mod rest;
mod sandbox;

use homestay_proto::payment::payment_client::PaymentClient;
use homestay_rpc::Channel;

pub use looklook::looklook;
pub use rest::{PaymentJson, rest};
pub use sandbox::sandbox;

/// What the handlers need. Its channel should call as nobody: handlers say for whom they call.
#[derive(Debug, Clone)]
pub struct Api {
    payment: PaymentClient<Channel>,
}

impl Api {
    /// Over a channel to payment-rpc.
    #[must_use]
    pub fn new(payment: Channel) -> Self {
        Self {
            payment: PaymentClient::new(payment),
        }
    }
}

#[cfg(test)]
mod tests;
