//! Connectors whose jobs outlive the call that started them.

use std::future::{Future, ready};

use futures::future::BoxFuture;

use super::{
    ConnectorError, LogQuery, LogStream, MetricsQuery, PollPolicy, Resource, ResourceMeta,
    TaskCategory, TaskRequest,
};
use crate::wire::flyteidl::core::{ExecutionMetricResult, TaskLog};

/// Starts jobs on a backend, tells their state and deletes them.
///
/// The supervisor calls `get` on a schedule of its own and answers callers from
/// what it found, so an error of `get` never reaches a caller as such: its
/// [`class`](ConnectorError::class) decides what happens to the task. Calls are
/// bounded in time (`create` 60 s, the others 30 s) and dropped at the limit,
/// and a panic stops the one task only.
///
/// Methods may be written as `async fn`.
pub trait AsyncConnector: Send + Sync + 'static {
    /// What is needed to find a job again, also in another process.
    type Meta: ResourceMeta;

    /// The name under which `ListAgents` shows the connector.
    fn name(&self) -> &str;

    /// The task categories that it serves.
    fn task_categories(&self) -> Vec<TaskCategory>;

    /// True for a task that it serves. What it leaves goes to an upstream that
    /// has the task category, where there is one.
    fn claims(&self, _task: &TaskRequest) -> bool {
        true
    }

    /// The same for a task that is known by its meta alone: one that another
    /// connector service created.
    fn claims_meta(&self, _meta: &Self::Meta) -> bool {
        true
    }

    /// Starts the job. Called once for each execution attempt; pass
    /// [`idempotency_key`](TaskRequest::idempotency_key) to a backend that
    /// takes one, so that a crash before the reply starts no second job.
    fn create(
        &self,
        task: &TaskRequest,
    ) -> impl Future<Output = Result<Self::Meta, ConnectorError>> + Send;

    /// Finds out how the job is. A terminal phase is the last call.
    fn get(
        &self,
        meta: &Self::Meta,
    ) -> impl Future<Output = Result<Resource, ConnectorError>> + Send;

    /// Deletes the job. Called until it succeeds, so it must be idempotent:
    /// [`ConnectorError::gone`] counts as success.
    fn delete(&self, meta: &Self::Meta) -> impl Future<Output = Result<(), ConnectorError>> + Send;

    /// The job's measurements, or `None` from a connector that has none: then
    /// callers get those of the task itself (polls, failures, latencies).
    fn get_metrics(
        &self,
        _meta: &Self::Meta,
        _query: &MetricsQuery,
    ) -> impl Future<Output = Result<Option<Vec<ExecutionMetricResult>>, ConnectorError>> + Send
    {
        ready(Ok(None))
    }

    /// The job's log, or `None` from a connector that has none: then callers
    /// get the history of the task itself.
    fn get_logs(
        &self,
        _meta: &Self::Meta,
        _query: &LogQuery,
    ) -> impl Future<Output = Result<Option<LogStream>, ConnectorError>> + Send {
        ready(Ok(None))
    }

    /// The links that the meta alone is enough for. They go with the replies
    /// before the first poll, because propeller shows only the first reply of
    /// each phase.
    fn log_links(&self, _meta: &Self::Meta) -> Vec<TaskLog> {
        Vec::new()
    }

    /// A future that completes when `get` may well answer otherwise than it
    /// just did, or `None` from a connector that cannot tell. It is asked for
    /// after each `get` that succeeded and found the job under way, and dropped
    /// before the next. The next `get` comes when it completes, if that is
    /// before its time, and by its turn like any other; one that completes
    /// again and again without a change is heeded ever later.
    fn changed(&self, _meta: &Self::Meta) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// How often to poll, made from what the configuration says.
    fn poll_policy(&self, configured: PollPolicy) -> PollPolicy {
        configured
    }
}
