//! `flightdeck task run`

use std::process::ExitCode;

use anyhow::bail;
use clap::Args as ClapArgs;

use super::{client::Client, new_task::NewTaskArgs, output::Output, phase};

/// Run a task of a sync type, such as webhook, and print its result.
///
/// The task runs inside the call; other task types are created and watched.
#[derive(Debug, ClapArgs)]
#[command(after_help = phase::EXIT_STATUS)]
pub(super) struct Args {
    #[command(flatten)]
    task: NewTaskArgs,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let resource = client.execute(args.task.request()?).await?;
    output.resource(&resource)?;
    let phase = phase::of(&resource);
    match phase::exit_code(phase) {
        Some(code) => Ok(code),
        None => bail!(
            "the reply to ExecuteTaskSync has phase {}, which is not the end of a task: propeller \
             would refuse it",
            phase.as_str_name()
        ),
    }
}
