//! One task as somebody who looks inside sees it.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{desk::Deletion, entry::TaskEntry, snapshot::Snapshot};
use crate::{
    connector::{ConnectorError, Phase, TaskCategory},
    wire::ExecutionId,
};

/// What is known of a task, at one moment.
#[derive(Debug, Clone)]
pub struct TaskReport {
    /// The task's id.
    pub id: Uuid,
    /// The task type and its version.
    pub category: TaskCategory,
    /// The name of the connector that has it.
    pub connector: String,
    /// The execution that asked for it, if its Create named one.
    pub execution: Option<ExecutionId>,
    /// The phase that a Get is answered with.
    pub phase: Phase,
    /// When it was created, by whichever process.
    pub created: SystemTime,
    /// How long nobody has asked for it.
    pub unasked_for: Duration,
    /// How long ago a poll of this process last succeeded.
    pub since_polled: Option<Duration>,
    /// How long it has waited for a successful poll; `None` if it is not to be
    /// polled.
    pub unpolled_for: Option<Duration>,
    /// Why the last poll failed, or why the task was ended by our decision.
    pub failure: Option<ConnectorError>,
    /// How often its actor was restarted.
    pub restarts: u32,
    /// Where a delete of its job stands.
    pub deletion: DeletionState,
}

/// Where a delete stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionState {
    /// Nobody asked for one.
    None,
    /// It is tried until the backend confirms it.
    Wanted,
    /// The backend refused it for good.
    Refused,
    /// The backend confirmed it.
    Confirmed,
}

impl TaskReport {
    pub(super) fn new(entry: &TaskEntry, snapshot: &Snapshot) -> Self {
        let (restarts, deletion) = {
            let desk = entry.desk();
            (
                desk.restarts.as_ref().map_or(0, |budget| budget.taken()),
                DeletionState::from(&desk.deletion),
            )
        };
        Self {
            id: entry.id,
            category: entry.kind.category.clone(),
            connector: entry.kind.connector.name().to_owned(),
            execution: entry.execution.clone(),
            phase: snapshot.phase,
            created: entry.created,
            unasked_for: entry.unasked_for(),
            since_polled: entry.polled_for(),
            unpolled_for: unpolled_for(entry, snapshot),
            failure: snapshot.failure.clone(),
            restarts,
            deletion,
        }
    }
}

/// How long a task that is to be polled has waited for a poll that succeeds.
pub(super) fn unpolled_for(entry: &TaskEntry, snapshot: &Snapshot) -> Option<Duration> {
    // A sync task is run once and never polled.
    let polls = entry.job().is_some() && !entry.is_sync() && !snapshot.phase.is_terminal();
    if !polls || entry.desk().deletion.stops_polls() {
        return None;
    }
    Some(entry.polled_for().unwrap_or_else(|| entry.held_for()))
}

impl From<&Deletion> for DeletionState {
    fn from(deletion: &Deletion) -> Self {
        match deletion {
            Deletion::None => Self::None,
            Deletion::Wanted { .. } => Self::Wanted,
            Deletion::Refused(_) => Self::Refused,
            Deletion::Done(_) => Self::Confirmed,
        }
    }
}
