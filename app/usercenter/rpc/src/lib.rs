//! usercenter-rpc: accounts, sessions and roles, and the only door to their tables.
//!
//! [`UserService`] serves `homestay.usercenter.v1.UserCenter`; [`METHODS`] says who may call what. Passwords are argon2id
//! ([`Passwords`]), access tokens HS256 JWTs that any process can check, refresh tokens rotate and live in the database.

mod account;
mod admin;
mod change_password;
mod config;
mod grant;
mod grpc;
mod login;
mod logout;
mod password;
mod profile;
mod refresh;
mod register;
mod seed;
mod session;
mod store;
mod sweep;
mod throttle;
pub mod wechat;
mod wx_auth;

#[cfg(test)]
mod tests;

use homestay_rpc::{Allow, Methods};

pub use admin::bootstrap_admin;
pub use config::{Config, WechatConfig};
pub use grpc::UserService;
pub use password::Passwords;
pub use sweep::sweep;
pub use throttle::Throttle;
pub use wechat::WechatProvider;

/// Schema of the domain, for `homestay_db`.
pub const MIGRATIONS: homestay_db::Migrations = &[
    (1, "account", include_str!("../migrations/1_account.sql")),
    (2, "demo", include_str!("../migrations/2_demo.sql")),
];

/// Before anybody has signed in; a signed-in caller may ask as well.
const SIGN_IN: Allow = Allow::ANONYMOUS.or(Allow::USER);

/// Who may call what.
pub const METHODS: Methods = &[
    ("/homestay.usercenter.v1.UserCenter/Register", SIGN_IN),
    ("/homestay.usercenter.v1.UserCenter/Login", SIGN_IN),
    ("/homestay.usercenter.v1.UserCenter/WxMiniAuth", SIGN_IN),
    ("/homestay.usercenter.v1.UserCenter/Refresh", SIGN_IN),
    ("/homestay.usercenter.v1.UserCenter/Logout", SIGN_IN),
    (
        "/homestay.usercenter.v1.UserCenter/GetUser",
        Allow::USER.or(Allow::SERVICE),
    ),
    ("/homestay.usercenter.v1.UserCenter/GetProfiles", Allow::ANYONE),
    ("/homestay.usercenter.v1.UserCenter/Seed", Allow::SERVICE),
    ("/homestay.usercenter.v1.UserCenter/ChangePassword", Allow::USER),
    (
        "/homestay.usercenter.v1.UserCenter/Grant",
        Allow::ADMIN.or(Allow::SERVICE),
    ),
    (
        "/homestay.usercenter.v1.UserCenter/ListByRole",
        Allow::ADMIN.or(Allow::SERVICE),
    ),
];
