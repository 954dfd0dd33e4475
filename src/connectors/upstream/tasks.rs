//! Tasks that are forwarded.

use std::{sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};

use super::client::Client;
use crate::{
    connector::{
        ConnectorError, DynAsyncConnector, DynSyncConnector, Job, LogQuery, LogStream, MetaError,
        MetricsQuery, PollPolicy, Resource, TaskCategory, TaskRequest,
    },
    wire::flyteidl::core::{ExecutionMetricResult, TaskLog},
};

/// Which tasks of a category an upstream takes, where it does not take all.
pub(super) trait Claims: Send + Sync {
    /// True for a task to be created.
    fn task(&self, task: &TaskRequest) -> bool;
    /// True for the task of a meta.
    fn meta(&self, meta: &[u8]) -> bool;
}

/// Every task of a category.
pub(super) struct All;

impl Claims for All {
    fn task(&self, _task: &TaskRequest) -> bool {
        true
    }

    fn meta(&self, _meta: &[u8]) -> bool {
        true
    }
}

/// Forwards the tasks of one category. The meta is the upstream's bytes; a Get
/// needs the category and the folder for outputs beside it, so this is the
/// erased form of a connector and not an `AsyncConnector`.
pub(super) struct ForwardedTasks {
    pub(super) client: Arc<Client>,
    pub(super) category: TaskCategory,
    pub(super) claims: Arc<dyn Claims>,
}

impl DynAsyncConnector for ForwardedTasks {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![self.category.clone()]
    }

    fn poll_policy(&self, configured: PollPolicy) -> PollPolicy {
        configured
    }

    fn claims(&self, task: &TaskRequest) -> bool {
        self.claims.task(task)
    }

    fn claims_meta(&self, meta: &[u8]) -> bool {
        self.claims.meta(meta)
    }

    fn create(
        &self,
        task: Arc<TaskRequest>,
    ) -> BoxFuture<'static, Result<Arc<dyn Job>, ConnectorError>> {
        let (client, category) = (self.client.clone(), self.category.clone());
        async move {
            let meta = client.create(&task).await?;
            let output_prefix = task.output_prefix.clone();
            Ok(Arc::new(ForwardedJob { client, category, meta, output_prefix }) as Arc<dyn Job>)
        }
        .boxed()
    }

    /// Whether the bytes are a meta is for the upstream to say, at the first
    /// poll.
    fn job(&self, meta: &[u8], output_prefix: &str) -> Result<Arc<dyn Job>, MetaError> {
        Ok(Arc::new(ForwardedJob {
            client: self.client.clone(),
            category: self.category.clone(),
            meta: Bytes::copy_from_slice(meta),
            output_prefix: output_prefix.to_owned(),
        }))
    }
}

/// One task of an upstream.
struct ForwardedJob {
    client: Arc<Client>,
    category: TaskCategory,
    meta: Bytes,
    output_prefix: String,
}

impl Job for ForwardedJob {
    fn meta(&self) -> Result<Bytes, MetaError> {
        Ok(self.meta.clone())
    }

    fn get(self: Arc<Self>) -> BoxFuture<'static, Result<Resource, ConnectorError>> {
        async move {
            let (meta, prefix) = (self.meta.clone(), self.output_prefix.clone());
            self.client.get(&self.category, meta, prefix).await
        }
        .boxed()
    }

    fn delete(self: Arc<Self>) -> BoxFuture<'static, Result<(), ConnectorError>> {
        async move { self.client.delete(&self.category, self.meta.clone()).await }.boxed()
    }

    fn get_metrics(
        self: Arc<Self>,
        query: MetricsQuery,
    ) -> BoxFuture<'static, Result<Option<Vec<ExecutionMetricResult>>, ConnectorError>> {
        async move { self.client.metrics(&self.category, self.meta.clone(), query).await }.boxed()
    }

    fn get_logs(
        self: Arc<Self>,
        query: LogQuery,
    ) -> BoxFuture<'static, Result<Option<LogStream>, ConnectorError>> {
        async move { self.client.logs(&self.category, self.meta.clone(), query).await }.boxed()
    }

    fn log_links(&self) -> Vec<TaskLog> {
        Vec::new()
    }
}

/// Forwards the sync tasks of one category.
pub(super) struct ForwardedSync {
    pub(super) client: Arc<Client>,
    pub(super) category: TaskCategory,
}

impl DynSyncConnector for ForwardedSync {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![self.category.clone()]
    }

    fn r#do(&self, task: Arc<TaskRequest>) -> BoxFuture<'static, Result<Resource, ConnectorError>> {
        let client = self.client.clone();
        async move {
            let execute = || client.execute(&task);
            execute.retry(pauses()).when(|error| !error.was_sent()).await
        }
        .boxed()
    }
}

/// The pauses of a call whose upstream is not there: inside of propeller's
/// deadline, which is 10 s.
fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(8)))
        .with_jitter()
}
