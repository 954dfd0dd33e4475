//! `flightdeck guard-worker` and `become-worker`: what a worker of an upstream
//! is started with.

use std::{ffi::OsString, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args as ClapArgs;

use crate::connectors::upstream::{guard, mortal};

/// The arguments that [`guard::SUBCOMMAND`] is started with.
#[derive(Debug, ClapArgs)]
pub(super) struct GuardArgs {
    /// How long the command may take to stop, in milliseconds.
    stop_timeout: u64,

    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// The arguments that [`mortal::SUBCOMMAND`] is started with.
#[derive(Debug, ClapArgs)]
pub(super) struct BecomeArgs {
    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn guard(args: &GuardArgs) -> anyhow::Result<ExitCode> {
    let status = guard::run(&args.command, Duration::from_millis(args.stop_timeout))
        .context("cannot guard a worker")?;
    Ok(ExitCode::from(status))
}

pub(super) fn become_it(args: &BecomeArgs) -> anyhow::Result<ExitCode> {
    mortal::run(&args.command).context("cannot become a worker")?;
    Ok(ExitCode::from(guard::NOT_STARTED))
}
