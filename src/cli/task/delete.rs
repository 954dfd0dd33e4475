//! `flightdeck task delete`

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::{client::Client, handle::TaskArgs, output::Output};

/// Stop a task.
///
/// A task that is deleted already is deleted again without an error.
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
    client.delete(&args.task.read()?).await?;
    output.done("deleted")?;
    Ok(ExitCode::SUCCESS)
}
