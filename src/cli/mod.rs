//! The command line: one file a subcommand.

mod connectors;
mod serve;
mod table;
mod task;
mod worker;

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, ConfigError},
    connector::{ConnectorRegistry, RegistryError},
    connectors::{
        builtin,
        upstream::{guard, mortal},
    },
};

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
    /// Call a connector service: create, watch and delete tasks.
    Task(Box<task::Args>),
    /// Start a worker of an upstream so that it does not outlive this process.
    #[command(name = guard::SUBCOMMAND, hide = true)]
    GuardWorker(worker::GuardArgs),
    /// Become a worker that does not outlive its guard.
    #[command(name = mortal::SUBCOMMAND, hide = true)]
    BecomeWorker(worker::BecomeArgs),
}

/// Runs the command of this process's arguments, with the built-in connectors.
pub fn run() -> ExitCode {
    run_with(|_| Ok(()))
}

/// Runs the command of this process's arguments, with connectors of one's own
/// beside the built-in ones: the `main` of a connector service that is written
/// against this crate.
pub fn run_with(
    register: impl FnOnce(&ConnectorRegistry) -> Result<(), RegistryError>,
) -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args, register),
        Command::Connectors(args) => connectors::run(&args, register),
        Command::Task(args) => task::run(*args),
        Command::GuardWorker(args) => worker::guard(&args),
        Command::BecomeWorker(args) => worker::become_it(&args),
    };
    result.unwrap_or_else(|error| {
        // Not eprintln!, which panics when nobody reads stderr any more.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        match error.is::<ConfigError>() || error.is::<UsageError>() {
            true => ExitCode::from(EXIT_USAGE),
            false => ExitCode::FAILURE,
        }
    })
}

/// The built-in connectors and those that `register` adds.
fn all_connectors(
    config: &Config,
    register: impl FnOnce(&ConnectorRegistry) -> Result<(), RegistryError>,
) -> anyhow::Result<ConnectorRegistry> {
    let connectors = builtin(config)?;
    register(&connectors)?;
    Ok(connectors)
}

/// Prints a line. That nobody reads it (`| true`) is no reason to stop, and
/// `println!` would panic.
fn print_line(line: &impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Arguments that clap takes and that still make no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);
