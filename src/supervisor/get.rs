//! GetTask: answered from what the actor publishes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{TaskError, Tasks, adopt::Lookup, entry::TaskEntry, snapshot::Snapshot, task::TaskMsg};
use crate::{connector::TaskCategory, wire::flyteidl::admin::Resource};

/// Which task a caller asks about.
#[derive(Debug, Clone)]
pub struct TaskQuery {
    /// The category that the connector is looked up by.
    pub category: TaskCategory,
    /// The task type as flytekit names it in messages and labels: the
    /// deprecated `task_type` if it is set, else the category's name.
    pub task_type: String,
    /// The handle, or a plain meta.
    pub resource_meta: Bytes,
    /// The folder for the outputs, if the caller names it.
    pub output_prefix: String,
    /// When the caller stops waiting, if it said so.
    pub deadline: Option<Instant>,
}

impl Tasks {
    /// The state of a task. It never fails for the backend's sake: while polls
    /// fail it is the last known state with the cause in its message.
    ///
    /// # Errors
    /// An unknown task type, or bytes that are no handle.
    pub async fn get(&self, query: TaskQuery) -> Result<Resource, TaskError> {
        let entry = match self.0.look_up(&query)? {
            Lookup::Task(entry) => entry,
            Lookup::Later(resource) => return Ok(*resource),
        };
        entry.touch();
        let mut snapshot = entry.snapshot();
        if entry.is_released() {
            snapshot = self.look_again(&entry, &query).await;
        } else if !snapshot.is_settled() {
            let settled = |entry: &TaskEntry| Some(entry.snapshot()).filter(|s| s.is_settled());
            let limit = self.get_limit(&query);
            snapshot = entry.wait_for(limit, settled).await.unwrap_or_else(|| entry.snapshot());
        }
        if snapshot.phase.is_terminal() && entry.tell_end() {
            self.0.room.may_leave(&entry);
        }
        self.0.tell_request(&entry);
        Ok(snapshot.resource.clone())
    }

    /// The state of a deleted task, as the backend has it now.
    async fn look_again(&self, entry: &Arc<TaskEntry>, query: &TaskQuery) -> Arc<Snapshot> {
        let published = entry.published();
        entry.send(TaskMsg::Look);
        let newer = |entry: &TaskEntry| (entry.published() != published).then(|| entry.snapshot());
        let found = entry.wait_for(self.get_limit(query), newer).await;
        found.unwrap_or_else(|| entry.snapshot())
    }

    /// Until when a Get waits: `get_wait`, and at most half of what the caller
    /// gives.
    fn get_limit(&self, query: &TaskQuery) -> Instant {
        let now = Instant::now();
        let wait = self.0.settings.get_wait;
        let given = query.deadline.map(|deadline| deadline.saturating_duration_since(now) / 2);
        now + given.map_or(wait, |given| wait.min(given))
    }
}
