//! `flightdeck task watch`

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Args as ClapArgs;
use tokio::time::{sleep, timeout};

use super::{
    client::{CallError, Client},
    duration,
    handle::{Task, TaskArgs},
    output::Output,
    phase,
    progress::Progress,
};
use crate::wire::flyteidl::admin::Resource;

/// Wait for the end of a task and print how it ended.
///
/// Shows the progress on stderr, and goes on while the service cannot be
/// reached.
#[derive(Debug, ClapArgs)]
#[command(after_help = phase::EXIT_STATUS)]
pub(super) struct Args {
    #[command(flatten)]
    task: TaskArgs,

    /// The pause between two calls
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    interval: Duration,

    /// Give up after this time; the task goes on [default: never]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let task = args.task.read()?;
    let mut progress = Progress::start();
    let end = end(client, &task, args.interval, &mut progress);
    let resource = match args.timeout {
        None => end.await?,
        Some(limit) => match timeout(limit, end).await {
            Ok(end) => end?,
            Err(_) => bail!(
                "the task has not ended within {}; it is {}, and goes on: watch it again, or \
                 delete it",
                humantime::format_duration(limit),
                progress.last()
            ),
        },
    };
    drop(progress);
    output.resource(&resource)?;
    Ok(phase::exit_code(phase::of(&resource)).unwrap_or(ExitCode::FAILURE))
}

/// Asks until the phase is terminal.
async fn end(
    client: &Client,
    task: &Task,
    interval: Duration,
    progress: &mut Progress,
) -> Result<Resource, CallError> {
    loop {
        match client.get(task).await {
            Ok(resource) => {
                progress.seen(&resource);
                if phase::of(&resource).is_terminal() {
                    return Ok(resource);
                }
            }
            Err(error) if error.is_transient() => progress.failed(&error),
            Err(error) => return Err(error),
        }
        sleep(interval).await;
    }
}
