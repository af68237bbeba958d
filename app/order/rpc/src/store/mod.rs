//! SQL of the order database, and nothing but SQL. The same text runs on SQLite and Postgres.

pub(crate) mod changes;
pub(crate) mod holds;
pub(crate) mod orders;
pub(crate) mod steps;
