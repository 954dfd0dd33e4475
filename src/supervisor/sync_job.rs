//! A sync task as a job: its one poll runs it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};

use crate::{
    connector::{
        ConnectorError, DynSyncConnector, Job, LogQuery, LogStream, MetaError, MetricsQuery,
        Resource, TaskRequest,
    },
    wire::flyteidl::core::{ExecutionMetricResult, TaskLog},
};

/// A request for a sync connector. Nothing of it is left on a backend, so there
/// is no meta, and nothing to delete.
pub(super) struct SyncJob {
    pub(super) connector: Arc<dyn DynSyncConnector>,
    pub(super) request: Arc<TaskRequest>,
}

impl Job for SyncJob {
    fn meta(&self) -> Result<Bytes, MetaError> {
        Ok(Bytes::new())
    }

    fn get(self: Arc<Self>) -> BoxFuture<'static, Result<Resource, ConnectorError>> {
        async move {
            let resource = self.connector.r#do(self.request.clone()).await?;
            if resource.phase.is_terminal() {
                return Ok(resource);
            }
            Err(ConnectorError::permanent(format!(
                "connector {:?} returned phase {} from a sync task, which must end in the call",
                self.connector.name(),
                resource.phase.as_str_name(),
            )))
        }
        .boxed()
    }

    fn delete(self: Arc<Self>) -> BoxFuture<'static, Result<(), ConnectorError>> {
        ready(Ok(())).boxed()
    }

    fn get_metrics(
        self: Arc<Self>,
        _query: MetricsQuery,
    ) -> BoxFuture<'static, Result<Option<Vec<ExecutionMetricResult>>, ConnectorError>> {
        ready(Ok(None)).boxed()
    }

    fn get_logs(
        self: Arc<Self>,
        _query: LogQuery,
    ) -> BoxFuture<'static, Result<Option<LogStream>, ConnectorError>> {
        ready(Ok(None)).boxed()
    }

    fn log_links(&self) -> Vec<TaskLog> {
        Vec::new()
    }
}
