//! Finding a task by its handle, or rebuilding it from there.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{
    TaskError, TaskQuery,
    desk::Creation,
    entry::{NewEntry, TaskEntry},
    history::Event,
    index::TaskKey,
    line::line,
    snapshot::Snapshot,
    tasks::Shared,
    trace::in_whole_millis,
};
use crate::{
    connector::{self, Connector, ConnectorError, Job, MetaError, Phase, Route},
    wire::{flyteidl::admin::Resource, handle::Handle},
};

/// What a sync task's handle is good for in another process.
const LOST: &str = "the result of this sync task was lost when the service that ran it stopped; \
                    it is not run a second time";

/// What a handle says of a task.
struct Found {
    connector: Connector,
    handle: Option<Handle>,
    /// None for a sync task: its result was in the process that ran it.
    job: Option<Arc<dyn Job>>,
}

/// A handle that was read.
enum Decoded {
    Found(Box<Found>),
    /// One of these upstreams may have the task, and has not said so yet.
    Pending(Vec<String>),
}

impl Decoded {
    fn found(found: Found) -> Self {
        Self::Found(Box::new(found))
    }
}

/// What a Get finds.
pub(super) enum Lookup {
    /// The task, adopted if it was unknown.
    Task(Arc<TaskEntry>),
    /// A task that cannot be adopted now: too many are, or its upstream is not
    /// there yet.
    Later(Box<Resource>),
}

impl Shared {
    /// The task of this handle. One that this process does not know is adopted.
    pub(super) async fn find(
        self: &Arc<Self>,
        query: &TaskQuery,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        let key = self.index.key(&query.category, &query.resource_meta);
        if let Some(entry) = self.index.by_handle(key) {
            return Ok(entry);
        }
        self.wait_for_owner(query).await?;
        match self.decode(query)? {
            Decoded::Found(found) => self.adopt_found(query, key, *found, None),
            // Changed its mind in between; a later call will find it.
            Decoded::Pending(upstreams) => Err(not_listed(query, &upstreams)),
        }
    }

    /// The task of this handle, for a Get: above the ceiling of adoptions in
    /// flight it is left to a later one.
    pub(super) fn look_up(self: &Arc<Self>, query: &TaskQuery) -> Result<Lookup, TaskError> {
        let key = self.index.key(&query.category, &query.resource_meta);
        if let Some(entry) = self.index.by_handle(key) {
            return Ok(Lookup::Task(entry));
        }
        let found = match self.decode(query)? {
            Decoded::Found(found) => *found,
            Decoded::Pending(upstreams) => return Ok(later(not_listed(query, &upstreams))),
        };
        let Ok(permit) = self.adoptions.clone().try_acquire_owned() else {
            self.metrics.refused("max_adoptions");
            return Ok(Lookup::Later(Box::new(found.snapshot().resource)));
        };
        self.adopt_found(query, key, found, Some(permit)).map(Lookup::Task)
    }

    fn adopt_found(
        self: &Arc<Self>,
        query: &TaskQuery,
        key: TaskKey,
        found: Found,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        let adopt = || self.adopt(query, key, found, permit);
        let (entry, _) = self.index.by_handle_or(key, adopt)?;
        if let Some(create_key) = entry.create_key {
            self.index.remember_create(create_key, &entry);
        }
        Ok(entry)
    }

    fn adopt(
        self: &Arc<Self>,
        query: &TaskQuery,
        key: TaskKey,
        found: Found,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Arc<TaskEntry>, TaskError> {
        let snapshot = found.snapshot();
        let handle = found.handle;
        let known = self.trace_of(handle.as_ref());
        let is_new = known.is_none();
        let execution = handle.as_ref().and_then(|handle| handle.execution.as_ref());
        let project = execution.map_or("", |id| id.project());
        let now = || in_whole_millis(self.world.now());
        let entry = Arc::new(TaskEntry::new(NewEntry {
            id: handle.as_ref().map_or_else(|| self.world.task_id(), |handle| handle.task_id),
            created: handle.as_ref().map_or_else(now, |handle| handle.created),
            deadline: handle.as_ref().and_then(|handle| handle.deadline),
            create_key: handle.as_ref().and_then(|handle| handle.create_key),
            generation: 0,
            node_key: None,
            kind: self.kind(&query.category, &found.connector, project),
            execution: handle.and_then(|handle| handle.execution),
            snapshot,
            trace: known.unwrap_or_else(|| self.new_trace()),
            output_prefix: self.told_prefix(&query.output_prefix),
        }));
        entry.desk().adoption = permit.map(Box::new);
        if let Some(job) = found.job {
            entry.set_job(job);
        }
        entry.set_key(key);
        entry.count_phase(entry.snapshot().phase);
        let is_own = entry.own_handle().is_ok_and(|own| own == query.resource_meta);
        entry.desk().creation = match is_own {
            true => Creation::Own,
            // Copied, because the bytes of a request hold all of its buffer.
            false => Creation::Other(query.resource_meta[..].into()),
        };
        entry.desk().history.record(self.world.now(), Event::Adopted);
        entry.kind.metrics.adopted();
        line!(info, entry, "taken over from its handle");
        if is_new {
            self.tell_root(&entry);
        }
        let snapshot = entry.snapshot();
        if snapshot.phase.is_terminal() {
            self.tell_end(&entry, snapshot.phase, &snapshot.resource.message);
        }
        self.spawn(&entry)?;
        Ok(entry)
    }

    fn decode(&self, query: &TaskQuery) -> Result<Decoded, TaskError> {
        let bad_handle =
            |source| TaskError::BadHandle { task_type: query.task_type.clone(), source };
        let handle = Handle::decode(&query.resource_meta).map_err(bad_handle)?;
        let connector = match self.route(query, handle.as_ref()) {
            Route::Connector(connector) => connector,
            Route::Pending(upstreams) => return Ok(Decoded::Pending(upstreams)),
            Route::Unknown => return Err(TaskError::UnknownTaskType(query.task_type.clone())),
        };
        let Some(handle) = handle else {
            let job = decode_meta(query, &connector, &query.resource_meta)?;
            return Ok(Decoded::found(Found { connector, handle: None, job: Some(job) }));
        };
        if handle.sync != connector.is_sync() || self.has_other(&handle, &connector) {
            return Err(TaskError::OtherConnector {
                task_type: query.task_type.clone(),
                asked: connector.name().to_owned(),
                owner: handle.connector,
            });
        }
        let job = match handle.sync {
            true => None,
            false => Some(decode_meta(query, &connector, &handle.meta)?),
        };
        Ok(Decoded::found(Found { connector, handle: Some(handle), job }))
    }

    /// True if the handle's own connector is there, for other task types.
    fn has_other(&self, handle: &Handle, connector: &Connector) -> bool {
        handle.connector != connector.name() && self.connectors.names().contains(&handle.connector)
    }
}

/// What an upstream's list must come for.
fn not_listed(query: &TaskQuery, upstreams: &[String]) -> TaskError {
    TaskError::NotListed { task_type: query.task_type.clone(), upstreams: upstreams.join(", ") }
}

/// A Get does not fail because an upstream is late.
fn later(cause: TaskError) -> Lookup {
    let running = Resource::from(connector::Resource::new(Phase::Running));
    Lookup::Later(Box::new(Resource { message: cause.to_string(), ..running }))
}

impl Found {
    /// What is known before the first poll.
    fn snapshot(&self) -> Snapshot {
        let links = self.job.as_ref().map(|job| job.log_links()).unwrap_or_default();
        let running = Snapshot::unpolled(Phase::Running, links);
        match &self.job {
            Some(_) => running,
            None => running.decided(Phase::RetryableFailed, ConnectorError::permanent(LOST)),
        }
    }
}

fn decode_meta(
    query: &TaskQuery,
    connector: &Connector,
    meta: &[u8],
) -> Result<Arc<dyn Job>, TaskError> {
    let job = match connector {
        Connector::Async(connector) => connector.job(meta, &query.output_prefix),
        Connector::Sync(_) => Err(MetaError::new("a sync connector has no meta")),
    };
    job.map_err(|source| TaskError::BadMeta {
        task_type: query.task_type.clone(),
        connector: connector.name().to_owned(),
        source,
    })
}
