//! GetTaskLogs and GetTaskMetrics: the connector's, else the task's own.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::StreamExt;
use prost_types::{ListValue, Struct, Value, value::Kind};
use ractor::RpcReplyPort;

use super::{
    TaskError, TaskQuery, Tasks, call::Outcome, entry::TaskEntry, history::PollSample,
    task::TaskMsg,
};
use crate::{
    connector::{LogQuery, LogStream, MetricsQuery},
    wire::flyteidl::core::ExecutionMetricResult,
};

/// How much longer than the connector's own limit a handler waits for its
/// actor to say so.
const MARGIN: Duration = Duration::from_secs(5);

/// What a poll adds to a measurement.
type Measure = fn(&PollSample) -> f64;

/// The task's own measurements.
const MEASUREMENTS: [(&str, Measure); 3] = [
    ("polls", |_| 1.0),
    ("poll_failures", |poll| if poll.succeeded { 0.0 } else { 1.0 }),
    ("poll_latency_seconds", |poll| poll.took.as_secs_f64()),
];

impl Tasks {
    /// The pages of a task's log: the connector's where it has one, else the
    /// history of the task.
    ///
    /// # Errors
    /// An unknown task type, bytes that are no handle, a token of elsewhere, a
    /// connector that fails.
    pub async fn logs(&self, query: TaskQuery, what: LogQuery) -> Result<LogStream, TaskError> {
        let entry = self.0.find(&query).await?;
        entry.touch();
        self.0.tell_request(&entry);
        let asked = what.clone();
        let read = self.read(&entry, "get_logs", |reply| TaskMsg::Logs(asked, reply));
        if let Some(stream) = read.await? {
            return Ok(stream);
        }
        let page = entry.desk().history.page(what.lines, &what.token)?;
        Ok(futures::stream::iter([Ok(page)]).boxed())
    }

    /// Measurements of a task: the connector's where it has any, else those of
    /// its polls, as Prometheus writes the result of a range query.
    ///
    /// # Errors
    /// As for [`Tasks::logs`]; a range without data is OUT_OF_RANGE.
    pub async fn measurements(
        &self,
        query: TaskQuery,
        what: MetricsQuery,
    ) -> Result<Vec<ExecutionMetricResult>, TaskError> {
        let entry = self.0.find(&query).await?;
        entry.touch();
        self.0.tell_request(&entry);
        let asked = what.clone();
        let read =
            self.read(&entry, "get_metrics", |reply| TaskMsg::Metrics(Box::new(asked), reply));
        if let Some(results) = read.await? {
            return Ok(results);
        }
        own_measurements(&entry, &what)
    }

    async fn read<T>(
        &self,
        entry: &Arc<TaskEntry>,
        operation: &'static str,
        message: impl FnOnce(RpcReplyPort<Outcome<Option<T>>>) -> TaskMsg,
    ) -> Result<Option<T>, TaskError> {
        let (reply, answer) = ractor::concurrency::oneshot();
        entry.send(message(reply.into()));
        let limit = self.0.settings.get_limit + MARGIN;
        let outcome = match tokio::time::timeout(limit, answer).await {
            Ok(Ok(outcome)) => outcome,
            // The actor left or is being restarted: its history is at hand.
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        let task_type = || entry.kind.category.name.clone();
        match outcome.into_result(operation) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                Err(TaskError::Connector { operation, task_type: task_type(), error })
            }
            Err(cause) => Err(TaskError::Fault { operation, task_type: task_type(), cause }),
        }
    }
}

fn own_measurements(
    entry: &TaskEntry,
    query: &MetricsQuery,
) -> Result<Vec<ExecutionMetricResult>, TaskError> {
    let known = || MEASUREMENTS.map(|(name, _)| name).join(", ");
    let unknown = |asked: &&String| !MEASUREMENTS.iter().any(|(name, _)| name == asked);
    if let Some(asked) = query.queries.iter().find(unknown) {
        return Err(TaskError::UnknownMetric { asked: asked.clone(), known: known() });
    }
    let start = query.start.unwrap_or(UNIX_EPOCH);
    let in_range =
        |poll: &PollSample| poll.at >= start && query.end.is_none_or(|end| poll.at <= end);
    let desk = entry.desk();
    let polls: Vec<PollSample> = desk.history.polls().filter(in_range).collect();
    drop(desk);
    if polls.is_empty() {
        return Err(TaskError::NoData);
    }
    let asked = |name: &str| query.queries.is_empty() || query.queries.iter().any(|q| q == name);
    Ok(MEASUREMENTS
        .iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, value)| ExecutionMetricResult {
            metric: (*name).to_owned(),
            data: Some(matrix(name, polls.iter().map(|poll| (poll.at, value(poll))))),
        })
        .collect())
}

/// One series as Prometheus writes the result of a range query.
fn matrix(name: &str, points: impl Iterator<Item = (SystemTime, f64)>) -> Struct {
    let values = points.map(|(at, value)| {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        list([Kind::NumberValue(at), Kind::StringValue(value.to_string())])
    });
    let metric = object([("__name__", Kind::StringValue(name.to_owned()))]);
    let series = object([
        ("metric", Kind::StructValue(metric)),
        ("values", list(values.collect::<Vec<_>>())),
    ]);
    object([
        ("resultType", Kind::StringValue("matrix".to_owned())),
        ("result", list([Kind::StructValue(series)])),
    ])
}

fn object<const N: usize>(fields: [(&str, Kind); N]) -> Struct {
    let field = |(name, kind): (&str, Kind)| (name.to_owned(), Value { kind: Some(kind) });
    Struct { fields: fields.into_iter().map(field).collect() }
}

fn list(kinds: impl IntoIterator<Item = Kind>) -> Kind {
    let value = |kind| Value { kind: Some(kind) };
    Kind::ListValue(ListValue { values: kinds.into_iter().map(value).collect() })
}
