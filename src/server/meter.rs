//! flytekit's request metrics around a handler.

use std::{future::Future, sync::Arc, time::Instant};

use tonic::Status;

use crate::{
    connector::TaskCategory,
    supervisor::{TaskError, Tasks},
    telemetry::{Operation, RequestMetrics},
};

/// Counts one request.
pub(super) struct Meter {
    metrics: Arc<RequestMetrics>,
    operation: Operation,
    began: Instant,
}

impl Meter {
    /// Begins to time a request for this task type, looked up by its category.
    pub(super) fn begin(
        tasks: &Tasks,
        operation: Operation,
        task_type: &str,
        category: &TaskCategory,
    ) -> Self {
        Self {
            metrics: tasks.metrics().requests(task_type, || tasks.connectors().serves(category)),
            operation,
            began: Instant::now(),
        }
    }

    /// Observes the encoded size of a Create's inputs.
    pub(super) fn input_bytes(&self, bytes: usize) {
        self.metrics.input_bytes(bytes);
    }

    /// Waits for the answer, and counts it.
    pub(super) async fn count<T>(
        self,
        answer: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, Status> {
        let result = answer.await;
        self.metrics.took(self.operation, self.began);
        match result {
            Ok(value) => {
                self.metrics.succeeded(self.operation);
                Ok(value)
            }
            Err(error) => {
                self.metrics.failed(self.operation, error.metric_code());
                Err(status(&error))
            }
        }
    }
}

/// The status of an error, whose code it carries.
pub(super) fn status(error: &TaskError) -> Status {
    Status::new(error.code(), error.to_string())
}
