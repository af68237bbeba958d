//! The system as `cargo run` starts it: one process, SQLite.

use std::path::Path;
use std::process::Command;

use crate::process::{Process, output};
use crate::store::Store;
use crate::system::System;
use crate::world::Addresses;

/// Environment of every homestay process under load.
pub const PLAIN: [(&str, &str); 5] = [
    ("HOMESTAY__AUTH__REGISTER_PER_MINUTE", "0"),
    ("HOMESTAY__AUTH__LOGIN_PER_MINUTE", "0"),
    ("HOMESTAY__SAMPLE_DATA", "false"),
    ("HOMESTAY__LOG__LEVEL", "warn"),
    ("HOMESTAY__LOG__FORMAT", "json"),
];

/// Makes the data in `folder`, which must not exist, and starts the program on it.
///
/// # Errors
/// A sentence about the program.
pub async fn start(program: &Path, folder: &Path, houses: usize) -> Result<System, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let data = folder.join("data");
    let command = || {
        let mut command = Command::new(program);
        command
            .envs(PLAIN)
            .env("HOMESTAY__DATA_DIR", &data)
            .env("HOMESTAY__GATEWAY__LISTEN", "127.0.0.1:0")
            .env("HOMESTAY__ADMIN__LISTEN", "127.0.0.1:0");
        command
    };
    output(command().args(["seed", "--houses", &houses.to_string()]))?;
    let mut process = Process::start(&mut command(), &folder.join("homestay.log"))?;
    let gateway = address(&process.says("homestay is ready at ").await?)?;
    let admin = address(&process.says("metrics and health at ").await?)?;
    Ok(System {
        name: "embedded (one process, SQLite)".to_owned(),
        addresses: Addresses::one(gateway),
        admins: vec![admin],
        processes: vec![process],
        store: Store::Sqlite(data),
    })
}

/// The address in `http://address`.
fn address(url: &str) -> Result<std::net::SocketAddr, String> {
    url.trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .map_err(|error| format!("{url}: {error}"))
}
