//! `flightdeck task get`

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::{client::Client, handle::TaskArgs, output::Output};

/// Print where a task is.
///
/// The exit status is 0 whatever the phase.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    task: TaskArgs,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let resource = client.get(&args.task.read()?).await?;
    output.resource(&resource)?;
    Ok(ExitCode::SUCCESS)
}
