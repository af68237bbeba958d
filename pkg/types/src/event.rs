use serde::{Deserialize, Serialize};

use crate::{OrderSn, PaymentSn};

/// Names of the event topics.
pub mod topic {
    /// Payment results, payload [`super::PaymentStatus`]; name and first two fields as in contract.md §1.6.
    pub const PAYMENT_STATUS: &str = "payment-update-paystatus-topic";
    /// Changes of orders, payload [`super::OrderChanged`].
    pub const ORDER_CHANGED: &str = "order-changed-topic";

    /// All topics, each with the domain whose outbox its events come from.
    pub const ALL: &[(&str, &str)] = &[("payment", PAYMENT_STATUS), ("order", ORDER_CHANGED)];

    /// The topics of a domain's events.
    pub fn of_domain(domain: &str) -> impl Iterator<Item = &'static str> {
        ALL.iter()
            .filter(move |(of, _)| *of == domain)
            .map(|(_, topic)| *topic)
    }
}

/// Names of the job queues: one a domain, worked by its mq process.
pub mod queue {
    /// Closing and advancing of orders.
    pub const ORDER: &str = "order";
    /// Refunds and the sandbox's clockwork.
    pub const PAYMENT: &str = "payment";
    /// Sweeps of holds.
    pub const TRAVEL: &str = "travel";
    /// Notifications and the broker's own sweeps.
    pub const MQUEUE: &str = "mqueue";
}

/// Kinds of jobs. A kind's prefix is its queue.
pub mod job {
    /// Do what is due for an order; payload `{"sn": …}`.
    pub const ORDER_ADVANCE: &str = "order.advance";
    /// Ask the provider to refund; payload `{"refund_sn": …}`.
    pub const PAYMENT_REFUND: &str = "payment.refund";
    /// The sandbox provider's own clockwork; payload as `SandboxDeliverRequest`.
    pub const PAYMENT_SANDBOX: &str = "payment.sandbox";
    /// Ask the order service about holds that no order has claimed; no payload.
    pub const TRAVEL_SWEEP_HOLDS: &str = "travel.sweep_holds";
    /// Payments and refunds that hang longer than they should.
    pub const PAYMENT_SWEEP: &str = "payment.sweep";
    /// Tell one recipient that an order was paid; payload `{"sn": …, "recipient": "guest" | "host"}`.
    pub const NOTIFY_ORDER_PAID: &str = "mqueue.notify_order_paid";
    /// The broker's own tidying, every minute; payload `{"tick_ms": …}`.
    pub const MQUEUE_SWEEP: &str = "mqueue.sweep";
}

/// An event: says "look at X", never what to do. Consumers re-read the truth.
pub trait Event: Serialize + serde::de::DeserializeOwned {
    /// Topic the event travels on.
    const TOPIC: &'static str;
    /// Partition key: the order number.
    fn key(&self) -> &str;
}

/// A payment was captured, failed or refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentStatus {
    /// 1 paid, 2 refunded, -1 failed or closed (contract.md §1.5).
    pub pay_status: i64,
    /// The order's number (the reference sends the payment's: holes.md B01).
    pub order_sn: OrderSn,
    /// Unique for the change; repeated deliveries carry the same.
    pub event_id: String,
    /// The payment that changed.
    pub payment_sn: PaymentSn,
    /// What the guest was charged, in the currency's minor unit.
    pub amount_cents: i64,
    /// What has been refunded of it.
    pub refunded_cents: i64,
    /// ISO 4217.
    pub currency: String,
}

impl Event for PaymentStatus {
    const TOPIC: &'static str = topic::PAYMENT_STATUS;
    fn key(&self) -> &str {
        self.order_sn.as_str()
    }
}

/// An order came into being or changed its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderChanged {
    /// The order.
    pub order_sn: OrderSn,
    /// Unique for the change; repeated deliveries carry the same.
    pub event_id: String,
    /// State it had entered when the event was written.
    pub state: String,
    /// What happened: created, paid, cancelled, refund_pending, refunded.
    pub change: String,
}

impl Event for OrderChanged {
    const TOPIC: &'static str = topic::ORDER_CHANGED;
    fn key(&self) -> &str {
        self.order_sn.as_str()
    }
}
