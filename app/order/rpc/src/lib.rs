//! Bookings: their states, steps and closing. The only door to the order database.
//!
//! One order is a row of `orders`; what happened to it is the rows of `order_step`; `hold_claim` says which hold keys of
//! travel belong to an order, and which never will. Rules without I/O stand in `rules` (states), `policy` (what a
//! cancellation gives back) and `due` (what is next),
//! SQL in `store`, and each use case in a file of its own; `advance` explains how an order survives a crash at any line.

mod advance;
mod books;
mod cancel;
mod change;
mod config;
mod confirm;
mod create;
mod due;
mod entries;
mod grpc;
mod keys;
mod offer;
mod order;
mod peers;
mod policy;
mod preview;
mod read;
mod refund;
mod resolve;
mod rules;
mod step;
mod store;
mod sweep;
mod taken;
#[cfg(test)]
mod tests;
mod told;
mod view;

use std::sync::{Arc, LazyLock};

use homestay_clock::{Clock, Ids};
use homestay_db::{Db, Migrations};
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_proto::travel::travel_client::TravelClient;
use homestay_rpc::{Allow, Channel, Methods};
use prometheus::IntCounterVec;

pub use config::Config;

/// The schema of the order database.
pub const MIGRATIONS: Migrations = &[
    (1, "outbox", homestay_outbox::SCHEMA),
    (2, "orders", include_str!("../migrations/2_orders.sql")),
    (3, "telling", include_str!("../migrations/3_telling.sql")),
    (
        4,
        "policies_and_changes",
        include_str!("../migrations/4_policies_and_changes.sql"),
    ),
    (5, "change_fees", include_str!("../migrations/5_change_fees.sql")),
];

/// Who may call what.
pub const METHODS: Methods = &[
    ("/homestay.order.v1.Order/Create", Allow::USER),
    ("/homestay.order.v1.Order/Get", Allow::USER.or(Allow::SERVICE)),
    ("/homestay.order.v1.Order/List", Allow::USER),
    ("/homestay.order.v1.Order/Cancel", Allow::USER),
    ("/homestay.order.v1.Order/PreviewCancel", Allow::USER),
    ("/homestay.order.v1.Order/Change", Allow::USER),
    ("/homestay.order.v1.Order/QuoteChange", Allow::USER),
    ("/homestay.order.v1.Order/ListChanges", Allow::USER),
    ("/homestay.order.v1.Order/Advance", Allow::SERVICE),
    ("/homestay.order.v1.Order/Sweep", Allow::SERVICE),
    ("/homestay.order.v1.Order/ResolveHolds", Allow::SERVICE),
    ("/homestay.order.v1.Order/MarkTold", Allow::SERVICE),
];

static CHANGES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    homestay_telemetry::metrics::counter(
        "order_changes_total",
        "Orders created and changes of their state.",
        &["change"],
    )
});

/// Counts a change that was committed.
fn count(change: &str) {
    CHANGES.with_label_values(&[change]).inc();
}

/// The order service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OrderService {
    db: Db,
    ids: Ids,
    clock: Clock,
    travel: TravelClient<Channel>,
    payment: PaymentClient<Channel>,
    node: Arc<str>,
    config: Config,
}

impl OrderService {
    /// A service over its database and its peers. `travel` and `payment` must call with a service's identity; `node` is the
    /// process's name in the steps it records.
    #[must_use]
    pub fn new(
        db: Db,
        ids: Ids,
        clock: Clock,
        travel: TravelClient<Channel>,
        payment: PaymentClient<Channel>,
        node: String,
        config: Config,
    ) -> Self {
        Self {
            db,
            ids,
            clock,
            travel,
            payment,
            node: node.into(),
            config,
        }
    }
}
