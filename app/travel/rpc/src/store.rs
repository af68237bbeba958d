//! SQL and nothing but SQL. Statements run on both databases as they stand.

pub(crate) mod hold;
pub(crate) mod house;
pub(crate) mod list;
pub(crate) mod seed;
pub(crate) mod shop;
