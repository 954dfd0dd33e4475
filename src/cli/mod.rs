//! The command line: one file a subcommand.

mod connectors;
mod serve;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a usage error ends, as sysexits.h and clap have it.
const EXIT_USAGE: u8 = 2;

/// A connector service for Flyte: supervised tasks, flytekit's protocol.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the connector service.
    Serve(serve::Args),
    /// List the connectors that are built in.
    Connectors(connectors::Args),
}

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Connectors(args) => connectors::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        match error.is::<crate::config::ConfigError>() || error.is::<UsageError>() {
            true => ExitCode::from(EXIT_USAGE),
            false => ExitCode::FAILURE,
        }
    })
}

/// Arguments that clap takes and that still make no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);
