//! `flightdeck task create`

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::{client::Client, new_task::NewTaskArgs, output::Output};

/// Create a task and print its handle.
///
/// The handle is the resource_meta that the service returned, as URL-safe base64
/// without padding. Keep it: it is all that leads back to the task.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    task: NewTaskArgs,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let resource_meta = client.create(args.task.request()?).await?;
    output.handle(&resource_meta)?;
    Ok(ExitCode::SUCCESS)
}
