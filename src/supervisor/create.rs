//! CreateTask: one job for each execution attempt.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    TaskError, Tasks,
    entry::{NewEntry, TaskEntry},
    history::Event,
    index::CreateKey,
    snapshot::Snapshot,
    sync_job::SyncJob,
    tasks::Shared,
};
use crate::{
    connector::{Connector, IdempotencyKey, Phase, TaskCategory, TaskRequest},
    wire::{
        flyteidl::admin::{CreateTaskRequest, TaskExecutionMetadata},
        handle::ExecutionId,
    },
};

/// How much longer than the connector's own limit a handler waits for its
/// actor to say so.
const MARGIN: Duration = Duration::from_secs(5);

impl Tasks {
    /// Creates a task and returns its handle. A repeat of a Create joins it, or
    /// gets the same handle; a caller that leaves does not stop it.
    ///
    /// # Errors
    /// An unknown task type, a connector that refuses or fails, no room: then
    /// nothing is left behind.
    pub async fn create(&self, request: CreateTaskRequest) -> Result<Bytes, TaskError> {
        let shared = &self.0;
        let template = request.template.unwrap_or_default();
        let category = TaskCategory::new(&template.r#type, template.task_type_version);
        let connector = shared.connector(&category, &category.name)?;
        let key = create_key(request.task_execution_metadata.as_ref(), &request.output_prefix);
        let request = TaskRequest {
            template,
            inputs: request.inputs,
            output_prefix: request.output_prefix,
            metadata: request.task_execution_metadata,
            idempotency_key: IdempotencyKey(key.unwrap_or_else(|| shared.world.randomness.bytes())),
        };
        let begin = || shared.begin(category, connector, key, request);
        let entry = match key {
            Some(key) => shared.index.by_create_or(key, begin)?.0,
            None => begin()?,
        };
        let limit = Instant::now() + shared.settings.create_limit + MARGIN;
        let creation = entry.wait_for(limit, |entry| entry.desk().creation.clone());
        creation.await.ok_or(TaskError::Stopping)??;
        entry.touch();
        entry.handle().cloned().ok_or(TaskError::Stopping)
    }
}

impl Shared {
    /// Spawns the actor that creates the job.
    fn begin(
        self: &Arc<Self>,
        category: TaskCategory,
        connector: Connector,
        create_key: Option<CreateKey>,
        request: TaskRequest,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        self.admit()?;
        let request = Arc::new(request);
        let entry = Arc::new(self.new_entry(category, connector, create_key, &request));

        entry.count_phase(Phase::Initializing);
        if let Connector::Sync(connector) = &entry.connector {
            self.bind_sync(&entry, SyncJob { connector: connector.clone(), request });
        } else {
            entry.desk().request = Some(request);
        }
        self.spawn(&entry)?;
        Ok(entry)
    }

    /// A sync task has its handle at once; its first poll runs it.
    fn bind_sync(&self, entry: &Arc<TaskEntry>, job: SyncJob) {
        let handle = entry.envelope(Bytes::new());
        let key = self.index.key(&entry.category, &handle);
        entry.set_job(Arc::new(job));
        entry.set_handle(key, handle);
        // The handle has a new id in it, so the index cannot have it yet.
        let _ = self.index.by_handle_or(key, || Ok::<_, TaskError>(entry.clone()));
        let mut desk = entry.desk();
        desk.history.record(self.world.now(), Event::Created);
        desk.creation = Some(Ok(()));
    }

    pub(super) fn new_entry(
        &self,
        category: TaskCategory,
        connector: Connector,
        create_key: Option<CreateKey>,
        request: &TaskRequest,
    ) -> TaskEntry {
        let created = self.world.now();
        let metadata = request.metadata.as_ref();
        let id = metadata.and_then(|metadata| metadata.task_execution_id.as_ref());
        TaskEntry::new(NewEntry {
            id: self.world.task_id(),
            metrics: self.metrics.tasks(&category.name),
            category,
            connector,
            execution: id.map(ExecutionId::from),
            created,
            deadline: self.deadline(request, created),
            create_key,
            snapshot: Snapshot::unpolled(Phase::Initializing, Vec::new()),
        })
    }

    /// The end of the template's timeout, where the service enforces it.
    fn deadline(&self, request: &TaskRequest, created: SystemTime) -> Option<SystemTime> {
        if !self.settings.enforce_timeout {
            return None;
        }
        let timeout = request.template.metadata.as_ref()?.timeout?;
        let timeout = Duration::try_from(timeout).ok()?;
        // flytekit writes 0 where there is no timeout.
        (!timeout.is_zero()).then(|| created.checked_add(timeout)).flatten()
    }

    fn admit(&self) -> Result<(), TaskError> {
        if self.index.len() < self.settings.max_tasks {
            return Ok(());
        }
        self.metrics.refused("max_tasks");
        Err(TaskError::Full(self.settings.max_tasks))
    }
}

/// The key of an execution attempt: its id with the attempt, **and** the output
/// prefix, since nodes of subworkflows repeat ids. Without one of them every
/// Create is its own task.
fn create_key(metadata: Option<&TaskExecutionMetadata>, output_prefix: &str) -> Option<CreateKey> {
    let id = metadata?.task_execution_id.as_ref()?;
    if output_prefix.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    // Length-delimited, so that the id and the prefix cannot run into another.
    hash.update(id.encode_length_delimited_to_vec());
    hash.update(output_prefix);
    let mut key = CreateKey::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::flyteidl::core::TaskExecutionIdentifier;

    fn metadata(attempt: u32) -> TaskExecutionMetadata {
        TaskExecutionMetadata {
            task_execution_id: Some(TaskExecutionIdentifier {
                retry_attempt: attempt,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_key_is_the_attempt_with_the_prefix() {
        let key = create_key(Some(&metadata(0)), "s3://b/n0/0");
        assert!(key.is_some());
        assert_eq!(key, create_key(Some(&metadata(0)), "s3://b/n0/0"));
        assert_ne!(key, create_key(Some(&metadata(1)), "s3://b/n0/0"));
        assert_ne!(key, create_key(Some(&metadata(0)), "s3://b/n1-0-n0/0"));
    }

    #[test]
    fn without_an_id_or_a_prefix_there_is_no_key() {
        assert_eq!(create_key(None, "s3://b"), None);
        assert_eq!(create_key(Some(&TaskExecutionMetadata::default()), "s3://b"), None);
        assert_eq!(create_key(Some(&metadata(0)), ""), None);
    }
}
