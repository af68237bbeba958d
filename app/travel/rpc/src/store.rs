//! SQL and nothing but SQL. Statements run on both databases as they stand; a new hold has a form of its own
//! for Postgres besides (`hold_in_one`).

pub(crate) mod block;
mod change;
pub(crate) mod hold;
mod hold_in_one;
pub(crate) mod house;
pub(crate) mod list;
pub(crate) mod release;
pub(crate) mod rules;
pub(crate) mod seed;
pub(crate) mod shop;
pub(crate) mod stock;
