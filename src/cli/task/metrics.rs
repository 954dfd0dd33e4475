//! `flightdeck task metrics`

use std::{process::ExitCode, time::Duration};

use clap::Args as ClapArgs;
use jiff::Timestamp;

use super::{client::Client, duration, handle::TaskArgs, output::Output};
use crate::{cli::UsageError, wire::flyteidl::admin::GetTaskMetricsRequest};

/// Print measurements of a task, a metric a line.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    task: TaskArgs,

    /// A metric by its name; every one that the connector has if none is named
    #[arg(long = "query", value_name = "NAME")]
    queries: Vec<String>,

    /// The begin of the range, such as 2026-08-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,

    /// The end of the range
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,

    /// The distance between two points
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    step: Option<Duration>,
}

pub(super) async fn run(
    args: Args,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let step = args.step.map(prost_types::Duration::try_from).transpose();
    let query = GetTaskMetricsRequest {
        queries: args.queries,
        start_time: args.start.map(on_the_wire),
        end_time: args.end.map(on_the_wire),
        step: step.map_err(|error| UsageError(format!("--step is not possible: {error}")))?,
        ..GetTaskMetricsRequest::default()
    };
    for metric in client.metrics(&args.task.read()?, query).await? {
        output.metric(&metric)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn on_the_wire(time: Timestamp) -> prost_types::Timestamp {
    let mut time =
        prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() };
    // Before 1970 jiff counts nanoseconds down, the wire counts them up.
    time.normalize();
    time
}
