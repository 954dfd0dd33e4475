//! Connectors that answer with the result.

use std::future::Future;

use super::{ConnectorError, Resource, TaskCategory, TaskRequest};

/// Runs a task inside the call: a request to a web service, a short query.
///
/// The method may be written as `async fn`.
pub trait SyncConnector: Send + Sync + 'static {
    /// The name under which `ListAgents` shows the connector.
    fn name(&self) -> &str;

    /// The task categories that it serves.
    fn task_categories(&self) -> Vec<TaskCategory>;

    /// Runs the task. The resource must have a terminal phase. An error is
    /// INTERNAL for the caller, who repeats the call; FAILED is final.
    fn r#do(
        &self,
        task: &TaskRequest,
    ) -> impl Future<Output = Result<Resource, ConnectorError>> + Send;
}
