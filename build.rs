//! Compiles `proto/` into Rust and into a file descriptor set, without protoc.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use protox::Compiler;

/// The files from which all others are imported.
const ROOTS: [&str; 3] =
    ["flyteidl/service/agent.proto", "flightdeck/handle.proto", "flightdeck/admin.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    // For reflection and tests: as bytes, because prost-types would drop the
    // HTTP annotations, and without the comments, which only the code needs.
    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(ROOTS)?;
    fs::write(out.join("flightdeck_descriptor.bin"), compiler.encode_file_descriptor_set())?;

    // The code. The annotations of HTTP routes need none.
    let mut files = protox::compile(ROOTS, ["proto"])?;
    files.file.retain(|file| file.package() != "google.api");
    tonic_prost_build::configure()
        .bytes("resource_meta")
        .bytes("Binary.value")
        .compile_fds(files)?;
    Ok(())
}
