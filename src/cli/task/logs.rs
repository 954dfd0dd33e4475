//! `flightdeck task logs`

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::{
    client::{Client, LogParts},
    handle::TaskArgs,
    output::{Output, notice},
};
use crate::wire::flyteidl::admin::{
    GetTaskLogsResponseBody, LogLine, get_task_logs_response::Part,
};

/// Print the log of a task, to its end or a page of it.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    task: TaskArgs,

    /// Print this many lines at most, and the token to go on with
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    lines: Option<u64>,

    /// Go on where the page with this token ended
    #[arg(long, default_value = "", hide_default_value = true)]
    token: String,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let task = args.task.read()?;
    let mut token = args.token;
    loop {
        let page = client.logs(&task, args.lines.unwrap_or(0), &token).await?;
        let next = print(page, output).await?;
        // A service that hands out the same token again would never end.
        if output.is_closed() || next.is_empty() || next == token {
            return Ok(ExitCode::SUCCESS);
        }
        if args.lines.is_some() {
            notice(&format!("more lines follow: --token {next}"));
            return Ok(ExitCode::SUCCESS);
        }
        token = next;
    }
}

/// Prints a page as it comes, and returns the token of the next one: empty
/// after the last.
async fn print(mut page: LogParts<'_>, output: &mut Output) -> anyhow::Result<String> {
    let mut token = String::new();
    while let Some(part) = page.next().await? {
        match part {
            Part::Header(header) => token = header.token,
            Part::Body(body) => print_body(body, output)?,
        }
        if output.is_closed() {
            break;
        }
    }
    Ok(token)
}

fn print_body(body: GetTaskLogsResponseBody, output: &mut Output) -> anyhow::Result<()> {
    let plain = body.results.into_iter().map(|message| LogLine { message, ..LogLine::default() });
    for line in plain.chain(body.structured_lines) {
        output.log_line(&line)?;
    }
    Ok(())
}
