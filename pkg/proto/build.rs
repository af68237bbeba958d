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
    let mut idempotent: Vec<String> = Vec::new();
    for file in &descriptors.file {
        for service in &file.service {
            let repeatable = service.method.iter().filter(|method| {
                let options = method.options.as_ref();
                options.is_some_and(|options| options.idempotency_level.is_some())
            });
            idempotent.extend(
                repeatable.map(|method| format!("/{}.{}/{}", file.package(), service.name(), method.name())),
            );
        }
    }
    idempotent.sort();
    std::fs::write(out.join("idempotent.rs"), format!("&{idempotent:#?}"))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
