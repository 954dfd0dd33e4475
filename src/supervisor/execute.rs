//! ExecuteTaskSync: a task that is run inside the call, in its own actor.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    TaskError, Tasks,
    entry::TaskEntry,
    keys::{Keys, idempotency_key},
    sync_job::SyncJob,
    tasks::Shared,
};
use crate::{
    connector::{Connector, DynSyncConnector, IdempotencyKey, Phase, TaskCategory, TaskRequest},
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
    pub async fn check_sync(&self, category: &TaskCategory) -> Result<(), TaskError> {
        match self.0.sync_connector(category).await? {
            Connector::Sync(_) => Ok(()),
            Connector::Async(connector) => Err(not_sync(category, connector.name())),
        }
    }

    /// Runs a task and returns its end. The time limit is an end too
    /// (RETRYABLE_FAILED). A caller that leaves does not stop the task, and one
    /// that repeats the call of its execution attempt joins it, or gets the
    /// result that was kept.
    ///
    /// # Errors
    /// An unknown or an async task type, and whatever error or panic the
    /// connector ends with: INTERNAL with the cause, as in flytekit. Errors are
    /// not kept.
    pub async fn execute(
        &self,
        header: CreateRequestHeader,
        inputs: Option<LiteralMap>,
    ) -> Result<Resource, TaskError> {
        let shared = &self.0;
        let template = header.template.as_ref();
        let category = template.map_or_else(|| TaskCategory::from(""), TaskCategory::of);
        let connector = match shared.sync_connector(&category).await? {
            Connector::Sync(connector) => connector,
            Connector::Async(connector) => return Err(not_sync(&category, connector.name())),
        };
        let keys = Keys::of(header.task_execution_metadata.as_ref(), &header.output_prefix);
        let run = || shared.run(category, connector, header, inputs, keys);
        let entry = match keys {
            Some(keys) => shared.index.by_execute_or(keys.create, run)?,
            None => run()?,
        };
        shared.tell_request(&entry);
        let limit = Instant::now() + shared.settings.do_limit + MARGIN;
        let ended = entry.wait_for(limit, |entry| {
            Some(entry.snapshot()).filter(|snapshot| snapshot.phase.is_terminal())
        });
        let snapshot = ended.await.ok_or(TaskError::Stopping)?;
        match &snapshot.failure {
            None => Ok(snapshot.resource.clone()),
            Some(error) => Err(TaskError::Fault {
                operation: "do",
                task_type: entry.kind.category.name.clone(),
                cause: error.message().to_owned(),
            }),
        }
    }
}

impl Shared {
    /// Spawns the actor that runs the task.
    fn run(
        self: &Arc<Self>,
        category: TaskCategory,
        connector: Arc<dyn DynSyncConnector>,
        header: CreateRequestHeader,
        inputs: Option<LiteralMap>,
        keys: Option<Keys>,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        let random = || IdempotencyKey(self.world.randomness.bytes());
        let request = Arc::new(TaskRequest {
            template: header.template.unwrap_or_default(),
            inputs,
            output_prefix: header.output_prefix,
            max_dataset_size_bytes: header.max_dataset_size_bytes,
            metadata: header.task_execution_metadata,
            idempotency_key: keys.map_or_else(random, |keys| idempotency_key(keys.create, 0)),
        });
        let wrapped = Connector::Sync(connector.clone());
        let entry = Arc::new(self.new_entry(&category, &wrapped, keys, 0, &request));
        entry.count_phase(Phase::Initializing);
        self.tell_root(&entry);
        entry.set_job(Arc::new(SyncJob { connector, request }));
        self.spawn(&entry)?;
        Ok(entry)
    }
}

fn not_sync(category: &TaskCategory, connector: &str) -> TaskError {
    TaskError::NotSync { task_type: category.name.clone(), connector: connector.to_owned() }
}
