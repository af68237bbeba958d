//! SQL of the order database, and nothing but SQL. The same text runs on SQLite and Postgres; a new order
//! (`booking`) has a form of its own for Postgres besides.

pub(crate) mod booking;
pub(crate) mod books;
pub(crate) mod change;
pub(crate) mod changes;
pub(crate) mod holds;
pub(crate) mod orders;
pub(crate) mod steps;
