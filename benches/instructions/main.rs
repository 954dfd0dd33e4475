//! How many instructions the hot paths take, counted by callgrind: they are the
//! same on a busy machine, so what a path takes more is seen where a clock sees
//! nothing.
//!
//! `benches/instructions/check` runs it and compares the counts with those of
//! `counts.json`. The number in a bench's id is how often it does the operation.
//! Nothing is logged or traced meanwhile.

#[path = "../common/bare.rs"]
mod bare;
mod floor;
mod http2;
#[path = "../common/subjects.rs"]
mod subjects;
mod tasks;
mod wire;
#[path = "../common/written.rs"]
mod written;

use gungraun::{Callgrind, LibraryBenchmarkConfig, main};

use http2::grpc;
use tasks::{sensor, task};
use wire::{handle, literal, registry, webhook};

// What is freed is handed out again from a list of its size. By default the
// lists are short, and beyond them a look for memory takes what the state of the
// heap makes of it: up to 3 % of a path, another part in each run.
const MALLOC: &str = "glibc.malloc.tcache_count=65535";

main!(
    config = LibraryBenchmarkConfig::default()
        .env("GLIBC_TUNABLES", MALLOC)
        .tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = handle, literal, webhook, registry, task, sensor, grpc
);
