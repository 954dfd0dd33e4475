//! `flightdeck guard-worker`: what a worker of an upstream is started under.

use std::{ffi::OsString, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args as ClapArgs;

use crate::connectors::upstream::guard;

/// The arguments that [`guard::SUBCOMMAND`] is started with.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// How long the command may take to stop, in milliseconds.
    stop_timeout: u64,

    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let status = guard::run(&args.command, Duration::from_millis(args.stop_timeout))
        .context("cannot guard a worker")?;
    Ok(ExitCode::from(status))
}
