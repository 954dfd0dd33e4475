//! `flightdeck task list`

use std::{process::ExitCode, time::Duration};

use clap::Args as ClapArgs;

use super::{
    client::Client,
    duration,
    output::{Output, notice},
    phase,
};
use crate::{
    connector::Phase,
    wire::flightdeck::v1::{ListTasksRequest, Task},
};

/// List the tasks that a Flightdeck service holds, oldest first, and how it
/// does.
///
/// This asks the admin service, which has a port of its own on the service's
/// own machine: --endpoint and FLIGHTDECK_ADMIN_ENDPOINT name it, by default it
/// is http://127.0.0.1:8001. With --output json a task is an object a line, and
/// the summary is printed with --summary only.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Tasks of this project
    #[arg(long)]
    project: Option<String>,

    /// Tasks of this domain, such as development
    #[arg(long)]
    domain: Option<String>,

    /// Tasks of the workflow's execution with this name
    #[arg(long, value_name = "NAME")]
    execution: Option<String>,

    /// Tasks of this type
    #[arg(long = "type", value_name = "TYPE")]
    task_type: Option<String>,

    /// Tasks in this phase, such as RUNNING
    #[arg(long, value_parser = phase::parse)]
    phase: Option<Phase>,

    /// Tasks that were created at least this long ago, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    min_age: Option<Duration>,

    /// List this many tasks at most; 0 lists all
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: u64,

    /// Go on behind the task with this id, where a listing ended
    #[arg(long, value_name = "ID")]
    after: Option<String>,

    /// Print the summary alone
    #[arg(long)]
    summary: bool,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    if args.summary {
        output.status(&client.status().await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let next = list(args, client, output).await?;
    if !output.is_json() {
        output.status(&client.status().await?)?;
    }
    if let Some(id) = next {
        notice(&format!("more tasks follow: --after {id}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the tasks, and returns the id of the last one if more follow.
async fn list(args: Args, client: &Client, output: &mut Output) -> anyhow::Result<Option<String>> {
    let limit = if args.limit == 0 { u64::MAX } else { args.limit };
    let mut parts = client.list(request(args)).await?;
    let mut listing = Listing::default();
    while let Some(tasks) = parts.next().await? {
        for task in tasks {
            if listing.count == limit || output.is_closed() {
                listing.print(output)?;
                return Ok(Some(listing.last));
            }
            listing.add(task, output)?;
        }
    }
    listing.print(output)?;
    Ok(None)
}

/// What was listed so far: JSON is printed as it comes, a table when its widths
/// are known.
#[derive(Default)]
struct Listing {
    count: u64,
    last: String,
    rows: Vec<Task>,
}

impl Listing {
    fn add(&mut self, task: Task, output: &mut Output) -> anyhow::Result<()> {
        self.count += 1;
        self.last.clone_from(&task.task_id);
        if output.is_json() {
            return output.task(&task);
        }
        self.rows.push(task);
        Ok(())
    }

    fn print(&self, output: &mut Output) -> anyhow::Result<()> {
        match output.is_json() {
            true => Ok(()),
            false => output.tasks(&self.rows),
        }
    }
}

/// One task more than is printed is asked for, to know whether there is one.
fn request(args: Args) -> ListTasksRequest {
    ListTasksRequest {
        project: args.project.unwrap_or_default(),
        domain: args.domain.unwrap_or_default(),
        execution: args.execution.unwrap_or_default(),
        task_type: args.task_type.unwrap_or_default(),
        phase: args.phase.unwrap_or_default().into(),
        min_age: args.min_age.and_then(|age| age.try_into().ok()),
        limit: if args.limit == 0 { 0 } else { args.limit.saturating_add(1) },
        after: args.after.unwrap_or_default(),
    }
}
