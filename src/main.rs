//! The `flightdeck` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    flightdeck::cli::run()
}
