//! SQL and nothing but SQL.

mod session;
mod user;

pub(crate) use session::*;
pub(crate) use user::*;
