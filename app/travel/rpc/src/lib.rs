//! travel-rpc: houses, shops, prices, nights and meals in stock, and the only door to their tables.
//!
//! [`TravelService`] serves `homestay.travel.v1.Travel`; [`METHODS`] says who may call what. Prices come from one pure
//! function ([`quote`]); what may be booked from pure rules ([`rules`]). A night is sold once because the primary key of
//! table `night` says so. [`sample`] makes the demo's and the benchmarks' data.

mod availability;
mod block;
mod calendar;
mod catalog;
mod config;
mod convert;
mod grpc;
mod hold;
mod host;
mod house;
pub mod quote;
mod release;
pub mod rules;
pub mod sample;
mod search;
mod seed;
mod store;
mod sweep;

#[cfg(test)]
mod tests;

use homestay_rpc::{Allow, Methods};

pub use config::Config;
pub use grpc::TravelService;
pub use house::{Day, House};

/// Schema of the domain, for `homestay_db`.
pub const MIGRATIONS: homestay_db::Migrations = &[
    (1, "travel", include_str!("../migrations/1_travel.sql")),
    (2, "rules", include_str!("../migrations/2_rules.sql")),
];

/// Accounts, of which only the house's host and staff get any further.
const SIGNED_IN: Allow = Allow::USER.or(Allow::STAFF).or(Allow::SERVICE);

/// Who may call what: everybody reads, hosts decide about their houses, only our own processes take and give back.
pub const METHODS: Methods = &[
    ("/homestay.travel.v1.Travel/GetHouse", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/ListHouses", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/SearchHouses", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/ListShops", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/GetShop", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/ListGoodHosts", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/ListComments", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/GetCalendar", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/GetQuote", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/Hold", Allow::SERVICE),
    ("/homestay.travel.v1.Travel/Release", Allow::SERVICE),
    ("/homestay.travel.v1.Travel/SweepHolds", Allow::SERVICE),
    ("/homestay.travel.v1.Travel/GetAvailability", Allow::ANYONE),
    ("/homestay.travel.v1.Travel/GetRules", SIGNED_IN),
    ("/homestay.travel.v1.Travel/SetRules", SIGNED_IN),
    ("/homestay.travel.v1.Travel/ListBlocks", SIGNED_IN),
    ("/homestay.travel.v1.Travel/CreateBlock", SIGNED_IN),
    ("/homestay.travel.v1.Travel/DeleteBlock", SIGNED_IN),
    ("/homestay.travel.v1.Travel/Seed", Allow::SERVICE),
];
