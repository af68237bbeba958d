//! Payments and refunds, and the only holder of provider clients and their secrets.
//!
//! A payment is an intent in our database before the provider hears of it, and every call to the provider carries the
//! intent's own key: whatever is cut off in between can be repeated. What the provider says, by callback or when asked,
//! goes through one function (`settle.rs`) that records it once, with its event, in one transaction.

mod callback;
mod cases;
mod close;
mod config;
mod create;
mod grpc;
mod kept;
mod keys;
mod ledger;
mod payer;
mod provider;
mod read;
mod refund;
mod refund_rule;
mod remote;
pub mod sandbox;
mod service;
mod settle;
mod state;
mod store;
pub mod stripe;
mod sweep;
#[cfg(test)]
mod tests;
mod unsettled;
pub mod wechat;

use homestay_rpc::{Allow, Methods};

pub use config::Config;
pub use provider::{
    CloseOutcome, EventKind, PaymentProvider, Prepay, PrepayIntent, ProviderEvent, ProviderState,
    RefundIntent, RefundOutcome, WechatPrepay,
};
pub use service::{PaymentService, Providers, Rates};
pub use state::{RefundState, State};

/// The schema of the payment database.
pub const MIGRATIONS: homestay_db::Migrations = &[
    (1, "outbox", homestay_outbox::SCHEMA),
    (2, "payment", include_str!("../migrations/2_payment.sql")),
    (3, "sandbox", include_str!("../migrations/3_sandbox.sql")),
    (4, "payment_key", include_str!("../migrations/4_payment_key.sql")),
    (5, "money", include_str!("../migrations/5_money.sql")),
    (6, "disputed", include_str!("../migrations/6_disputed.sql")),
    (7, "returned", include_str!("../migrations/7_returned.sql")),
    (
        8,
        "case_payment",
        include_str!("../migrations/8_case_payment.sql"),
    ),
];

/// Who may call what.
pub const METHODS: Methods = &[
    ("/homestay.payment.v1.Payment/Create", Allow::USER),
    ("/homestay.payment.v1.Payment/Get", Allow::USER.or(Allow::SERVICE)),
    (
        "/homestay.payment.v1.Payment/ListForOrder",
        Allow::USER.or(Allow::SERVICE),
    ),
    ("/homestay.payment.v1.Payment/CloseForOrder", Allow::SERVICE),
    ("/homestay.payment.v1.Payment/Refund", Allow::SERVICE),
    ("/homestay.payment.v1.Payment/ExecuteRefund", Allow::SERVICE),
    ("/homestay.payment.v1.Payment/Callback", Allow::ANYONE),
    ("/homestay.payment.v1.Payment/Sweep", Allow::SERVICE),
    ("/homestay.payment.v1.Payment/Settle", Allow::SERVICE),
    ("/homestay.payment.v1.Payment/OpenCase", Allow::SERVICE),
    ("/homestay.payment.v1.Payment/ListCases", Allow::STAFF),
    ("/homestay.payment.v1.Payment/GetCase", Allow::STAFF),
    ("/homestay.payment.v1.Payment/NoteCase", Allow::STAFF),
    ("/homestay.payment.v1.Payment/ResolveCase", Allow::STAFF),
    ("/homestay.payment.v1.Payment/SandboxPage", Allow::ANYONE),
    ("/homestay.payment.v1.Payment/SandboxAct", Allow::ANYONE),
    ("/homestay.payment.v1.Payment/SandboxDeliver", Allow::SERVICE),
];
