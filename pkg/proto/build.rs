//! Compiles the .proto files without protoc: protox reads them, tonic-prost-build writes the code.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 6] = [
    "common.proto",
    "usercenter.proto",
    "travel.proto",
    "order.proto",
    "payment.proto",
    "mqueue.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a build script is told its output folder by the environment"
    )]
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("descriptor.bin"),
        prost::Message::encode_to_vec(&descriptors),
    )?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
