//! What a hundred thousand live sensors cost: memory for each, and how late
//! their polls begin.
//!
//! `cargo bench --bench sensors [-- TASKS [SECONDS]]` creates FileSensor tasks
//! for files that are not there, lets them be polled every ten seconds, and
//! prints what was measured meanwhile beside the targets.

mod common;

use std::time::Duration;

use common::{Args, sensors::measure};
use flightdeck::config::Config;

const TASKS: usize = 100_000;

/// How long polls are measured, after the quick first ones.
const SECONDS: usize = 30;

fn main() {
    let args = Args::parse(&[(TASKS, 1_000), (SECONDS, 2)]);
    let (count, seconds) = (args.number(0), args.number(1));
    let measured = Duration::from_secs(seconds as u64);
    let path = |number| format!("/nowhere/flightdeck/{number}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let measured =
        runtime.block_on(measure(&Config::default(), count, measured, path, async || ()));
    measured.print(count);
}
