//! CreateTask: one job for each execution attempt.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    TaskError, Tasks,
    desk::{Asked, Creation},
    entry::{NewEntry, TaskEntry},
    history::Event,
    keys::{Keys, idempotency_key},
    snapshot::Snapshot,
    sync_job::SyncJob,
    task::TaskMsg,
    tasks::Shared,
    trace::in_whole_millis,
};
use crate::{
    connector::{Connector, IdempotencyKey, MetaError, Phase, TaskCategory, TaskRequest},
    wire::{ExecutionId, flyteidl::admin::CreateTaskRequest},
};

/// How much longer than the connector's own limit a handler waits for its
/// actor to say so.
const MARGIN: Duration = Duration::from_secs(5);

/// Propeller's deadline, for a caller that names none.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

impl Tasks {
    /// Creates a task and returns its handle. A repeat of a Create joins it, or
    /// gets the same handle; a caller that leaves does not stop it.
    ///
    /// # Errors
    /// An unknown task type, a connector that refuses or fails, no room: then
    /// nothing is left behind.
    pub fn create(
        &self,
        request: CreateTaskRequest,
    ) -> impl Future<Output = Result<Bytes, TaskError>> + Send {
        self.create_within(request, None)
    }

    /// As [`Tasks::create`], for a caller that stops waiting at a deadline:
    /// until then room is waited for, and a backend that was not reached is
    /// tried again.
    ///
    /// # Errors
    /// As for [`Tasks::create`].
    pub fn create_within(
        &self,
        request: CreateTaskRequest,
        deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Bytes, TaskError>> + Send {
        // Not in the future: a message has 2.5 KB, and futures are moved about.
        let request = Arc::new(TaskRequest {
            template: request.template.unwrap_or_default(),
            inputs: request.inputs,
            output_prefix: request.output_prefix,
            max_dataset_size_bytes: 0,
            metadata: request.task_execution_metadata,
            idempotency_key: IdempotencyKey(self.0.world.randomness.bytes()),
        });
        self.create_requested(request, deadline)
    }

    async fn create_requested(
        &self,
        request: Arc<TaskRequest>,
        deadline: Option<Instant>,
    ) -> Result<Bytes, TaskError> {
        let shared = &self.0;
        let category = TaskCategory::of(&request.template);
        let keys = Keys::of(request.metadata.as_ref(), &request.output_prefix);
        let connector = shared.connector_for(&category, &request, deadline).await?;
        if !keys.is_some_and(|keys| shared.index.has_create(keys.create)) {
            shared.wait_for_room(deadline).await?;
        }
        let begin =
            |generation| shared.begin(category, connector, keys, generation, request, deadline);
        let entry = match keys {
            Some(keys) => shared.index.by_create_or(keys.create, begin)?,
            None => begin(0)?,
        };
        shared.tell_request(&entry);
        // From here on a caller that leaves, leaves an orphan.
        let caller = Caller(&entry);
        let limit = Instant::now() + shared.settings.create_limit + MARGIN;
        let creation = entry.wait_for(limit, |entry| entry.desk().creation.result());
        creation.await.ok_or(TaskError::Stopping)?.map_err(|error| *error)?;
        caller.reply().map_err(|error| entry.create_fault(error.to_string()))
    }
}

/// A caller that waits for its Create: dropped before the reply, it has left.
struct Caller<'a>(&'a TaskEntry);

impl Caller<'_> {
    fn reply(self) -> Result<Bytes, MetaError> {
        let handle = self.0.reply();
        std::mem::forget(self);
        handle
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Shared {
    /// Spawns the actor that creates the job.
    fn begin(
        self: &Arc<Self>,
        category: TaskCategory,
        connector: Connector,
        keys: Option<Keys>,
        generation: u32,
        mut request: Arc<TaskRequest>,
        deadline: Option<Instant>,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        if let Some(keys) = keys {
            Arc::make_mut(&mut request).idempotency_key = idempotency_key(keys.create, generation);
        }
        let entry = Arc::new(self.new_entry(&category, &connector, keys, generation, &request));
        entry.count_phase(Phase::Initializing);
        self.tell_root(&entry);
        if let Connector::Sync(connector) = &entry.kind.connector {
            self.bind_sync(&entry, SyncJob { connector: connector.clone(), request });
        } else {
            let until = deadline.or_else(|| Instant::now().checked_add(DEFAULT_DEADLINE));
            entry.desk().asked = Some(Box::new(Asked { request, until }));
        }
        self.spawn(&entry)?;
        if let Some(keys) = keys {
            self.delete_lower_attempt(&entry, keys);
        }
        Ok(entry)
    }

    /// Propeller answers a Create that failed or timed out with the next
    /// attempt, and never deletes the job of the one before.
    fn delete_lower_attempt(&self, entry: &Arc<TaskEntry>, keys: Keys) {
        let Some(lower) = self.index.supersede(keys.node, entry) else {
            return;
        };
        if !lower.was_asked() {
            lower.change(|desk| desk.superseded = true);
            lower.send(TaskMsg::Superseded);
        }
    }

    /// A sync task has its handle at once; its first poll runs it.
    fn bind_sync(&self, entry: &Arc<TaskEntry>, job: SyncJob) {
        let handle = entry.envelope(Bytes::new());
        let key = self.index.key(&entry.kind.category, &handle);
        entry.set_job(Arc::new(job));
        entry.set_key(key);
        // The handle has a new id in it, so the index cannot have it yet.
        let _ = self.index.by_handle_or(key, || Ok::<_, TaskError>(entry.clone()));
        let mut desk = entry.desk();
        desk.history.record(self.world.now(), Event::Created);
        desk.creation = Creation::New(handle.into());
        drop(desk);
        self.tell_create(entry, None);
    }

    pub(super) fn new_entry(
        &self,
        category: &TaskCategory,
        connector: &Connector,
        keys: Option<Keys>,
        generation: u32,
        request: &TaskRequest,
    ) -> TaskEntry {
        let created = in_whole_millis(self.world.now());
        let metadata = request.metadata.as_ref();
        let id = metadata.and_then(|metadata| metadata.task_execution_id.as_ref());
        let execution = id.map(ExecutionId::from);
        let project = execution.as_ref().map_or("", |id| id.project());
        TaskEntry::new(NewEntry {
            id: self.world.task_id(),
            kind: self.kind(category, connector, project),
            execution,
            created,
            deadline: self.deadline(request, created),
            create_key: keys.map(|keys| keys.create),
            generation,
            node_key: keys.map(|keys| keys.node),
            snapshot: Snapshot::unpolled(Phase::Initializing, Vec::new()),
            trace: self.new_trace(),
            output_prefix: self.told_prefix(&request.output_prefix),
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
}
