//! ExecuteTaskSync: a task that is run inside the call, in its own actor.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{TaskError, Tasks, sync_job::SyncJob};
use crate::{
    connector::{Connector, IdempotencyKey, Phase, TaskCategory, TaskRequest},
    wire::flyteidl::{
        admin::{CreateRequestHeader, Resource},
        core::LiteralMap,
    },
};

/// How much longer than the connector's own limit a handler waits for its
/// actor to say so.
const MARGIN: Duration = Duration::from_secs(5);

impl Tasks {
    /// The connector for an ExecuteTaskSync of this category.
    ///
    /// # Errors
    /// An unknown or an async task type.
    pub fn check_sync(&self, category: &TaskCategory) -> Result<(), TaskError> {
        match self.0.connector(category, &category.name)? {
            Connector::Sync(_) => Ok(()),
            Connector::Async(connector) => Err(TaskError::NotSync {
                task_type: category.name.clone(),
                connector: connector.name().to_owned(),
            }),
        }
    }

    /// Runs a task and returns its end. The time limit is an end too
    /// (RETRYABLE_FAILED); a caller that leaves does not stop the task.
    ///
    /// # Errors
    /// An unknown or an async task type, and whatever error or panic the
    /// connector ends with: INTERNAL with the cause, as in flytekit.
    pub async fn execute(
        &self,
        header: CreateRequestHeader,
        inputs: Option<LiteralMap>,
    ) -> Result<Resource, TaskError> {
        let shared = &self.0;
        let template = header.template.unwrap_or_default();
        let category = TaskCategory::new(&template.r#type, template.task_type_version);
        self.check_sync(&category)?;
        let connector = shared.connector(&category, &category.name)?;
        let request = Arc::new(TaskRequest {
            template,
            inputs,
            output_prefix: header.output_prefix,
            metadata: header.task_execution_metadata,
            idempotency_key: IdempotencyKey(shared.world.randomness.bytes()),
        });
        let entry = Arc::new(shared.new_entry(category, connector, None, &request));
        entry.count_phase(Phase::Initializing);
        if let Connector::Sync(connector) = &entry.connector {
            let connector = connector.clone();
            entry.set_job(Arc::new(SyncJob { connector, request }));
        }
        shared.spawn(&entry)?;
        let limit = Instant::now() + shared.settings.do_limit + MARGIN;
        let ended = entry.wait_for(limit, |entry| {
            Some(entry.snapshot()).filter(|snapshot| snapshot.phase.is_terminal())
        });
        let snapshot = ended.await.ok_or(TaskError::Stopping)?;
        match &snapshot.failure {
            None => Ok(snapshot.resource.clone()),
            Some(error) => Err(TaskError::Fault {
                operation: "do",
                task_type: entry.category.name.clone(),
                cause: error.message().to_owned(),
            }),
        }
    }
}
