//! Payment providers that play the world outside: servers in the test's process that check our signatures, sign and seal what
//! they say, keep books by the test's clock, and misbehave when they are told to. They share no code with the clients.

mod faults;
mod stripe;
mod wechat;

pub use faults::Fault;
pub use stripe::StripeSimulator;
pub use wechat::WechatSimulator;

/// A callback as a provider sends it. The simulators hand them out; whether, when, how often and in what order they arrive is
/// the test's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Exactly what is signed.
    pub body: Vec<u8>,
}
