//! Reading the connector's log and measurements of the job.

use futures::future::BoxFuture;
use ractor::RpcReplyPort;

use super::TaskState;
use crate::{
    connector::{ConnectorError, Job, LogQuery, LogStream, MetricsQuery},
    supervisor::call::{self, Outcome},
    wire::flyteidl::core::ExecutionMetricResult,
};

use std::sync::Arc;

impl TaskState {
    /// Asks the connector for the log.
    pub(super) fn read_logs(
        &mut self,
        query: LogQuery,
        reply: RpcReplyPort<Outcome<Option<LogStream>>>,
    ) {
        self.read("get_logs", reply, |job| job.get_logs(query));
    }

    /// Asks the connector for measurements.
    pub(super) fn read_metrics(
        &mut self,
        query: MetricsQuery,
        reply: RpcReplyPort<Outcome<Option<Vec<ExecutionMetricResult>>>>,
    ) {
        self.read("get_metrics", reply, |job| job.get_metrics(query));
    }

    fn read<T: Send + 'static>(
        &mut self,
        operation: &'static str,
        reply: RpcReplyPort<Outcome<Option<T>>>,
        ask: impl FnOnce(Arc<dyn Job>) -> BoxFuture<'static, Result<Option<T>, ConnectorError>>
        + Send
        + 'static,
    ) {
        let Some(job) = self.entry.job().cloned() else {
            let _ = reply.send(Outcome::Returned(Ok(None)));
            return;
        };
        self.reads.retain(|read| !read.is_over());
        self.reads.push(call::start(
            self.shared.settings.get_limit,
            self.shared.scope(&self.entry, operation),
            ask(job),
            move |outcome| {
                let _ = reply.send(outcome);
            },
        ));
    }
}
