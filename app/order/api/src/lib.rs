//! order-api: bookings over HTTP. JSON in, RPC out; the rules are in order-rpc.
//!
//! [`looklook`] is the face of contract.md §1.3, [`rest`] the one under `/v1`.

mod cancelling;
mod changes;
mod looklook;
mod rest;
mod view;

#[cfg(test)]
mod tests;

use homestay_proto::order::order_client::OrderClient;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_rpc::Channel;

pub use looklook::looklook;
pub use rest::rest;

/// What the handlers need: order-rpc, and payment-rpc for the pay link of an order. The channels' own identity should be an
/// anonymous one, as every call names its actor.
#[derive(Debug, Clone)]
pub struct Api {
    orders: OrderClient<Channel>,
    payments: PaymentClient<Channel>,
}

impl Api {
    /// Handlers that call order-rpc over `order` and payment-rpc over `payment`.
    #[must_use]
    pub fn new(order: Channel, payment: Channel) -> Self {
        Self {
            orders: OrderClient::new(order),
            payments: PaymentClient::new(payment),
        }
    }
}
