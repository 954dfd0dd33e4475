//! Finding a task by its handle, or rebuilding it from there.

use std::sync::Arc;

use bytes::Bytes;
use tracing::info;

use super::{
    TaskError, TaskQuery,
    entry::{NewEntry, TaskEntry},
    history::Event,
    index::TaskKey,
    snapshot::Snapshot,
    tasks::Shared,
};
use crate::{
    connector::{
        Connector, ConnectorError, DynAsyncConnector, Job, MetaError, Phase, TaskCategory,
    },
    wire::handle::Handle,
};

/// What a sync task's handle is good for in another process.
const LOST: &str = "the result of this sync task was lost when the service that ran it stopped; \
                    it is not run a second time";

/// What a handle says of a task.
struct Found {
    handle: Option<Handle>,
    /// None for a sync task: its result was in the process that ran it.
    job: Option<Arc<dyn Job>>,
}

impl Shared {
    /// The task of this handle. One that this process does not know is adopted.
    pub(super) fn find(self: &Arc<Self>, query: &TaskQuery) -> Result<Arc<TaskEntry>, TaskError> {
        let TaskQuery { category, resource_meta, .. } = query;
        let key = self.index.key(category, resource_meta);
        if let Some(entry) = self.index.by_handle(key) {
            return Ok(entry);
        }
        let connector = self.connector(category, &query.task_type)?;
        let found = decode(category, &connector, resource_meta)?;
        let adopt = || self.adopt(category, connector, key, resource_meta, found);
        let (entry, _) = self.index.by_handle_or(key, adopt)?;
        if let Some(create_key) = entry.create_key {
            self.index.remember_create(create_key, &entry);
        }
        Ok(entry)
    }

    fn adopt(
        self: &Arc<Self>,
        category: &TaskCategory,
        connector: Connector,
        key: TaskKey,
        resource_meta: &Bytes,
        found: Found,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        let links = found.job.as_ref().map(|job| job.log_links()).unwrap_or_default();
        let running = Snapshot::unpolled(Phase::Running, links);
        let snapshot = match &found.job {
            Some(_) => running,
            None => running.decided(Phase::RetryableFailed, ConnectorError::permanent(LOST)),
        };
        let handle = found.handle;
        let entry = Arc::new(TaskEntry::new(NewEntry {
            id: handle.as_ref().map_or_else(|| self.world.task_id(), |handle| handle.task_id),
            created: handle.as_ref().map_or_else(|| self.world.now(), |handle| handle.created),
            deadline: handle.as_ref().and_then(|handle| handle.deadline),
            create_key: handle.as_ref().and_then(|handle| handle.create_key),
            execution: handle.and_then(|handle| handle.execution),
            metrics: self.metrics.tasks(&category.name),
            category: category.clone(),
            connector,
            snapshot,
        }));
        if let Some(job) = found.job {
            entry.set_job(job);
        }
        entry.set_handle(key, resource_meta.clone());
        entry.count_phase(entry.snapshot().phase);
        entry.desk().creation = Some(Ok(()));
        entry.desk().history.record(self.world.now(), Event::Adopted);
        entry.metrics.adopted();
        info!(
            task_id = %entry.id, task_type = entry.category.name,
            execution = entry.execution_name(), "taken over from its handle"
        );
        self.spawn(&entry)?;
        Ok(entry)
    }
}

fn decode(
    category: &TaskCategory,
    connector: &Connector,
    resource_meta: &Bytes,
) -> Result<Found, TaskError> {
    let handle = Handle::decode(resource_meta)
        .map_err(|source| TaskError::BadHandle { task_type: category.name.clone(), source })?;
    let Some(handle) = handle else {
        let job = decode_meta(category, connector, resource_meta)?;
        return Ok(Found { handle: None, job: Some(job) });
    };
    if handle.connector != connector.name() || handle.sync != connector.is_sync() {
        return Err(TaskError::OtherConnector {
            task_type: category.name.clone(),
            asked: connector.name().to_owned(),
            owner: handle.connector,
        });
    }
    let job = match handle.sync {
        true => None,
        false => Some(decode_meta(category, connector, &handle.meta)?),
    };
    Ok(Found { handle: Some(handle), job })
}

fn decode_meta(
    category: &TaskCategory,
    connector: &Connector,
    meta: &[u8],
) -> Result<Arc<dyn Job>, TaskError> {
    let job = match connector {
        Connector::Async(connector) => DynAsyncConnector::job(connector.as_ref(), meta),
        Connector::Sync(_) => Err(MetaError::new("a sync connector has no meta")),
    };
    job.map_err(|source| TaskError::BadMeta {
        task_type: category.name.clone(),
        connector: connector.name().to_owned(),
        source,
    })
}
