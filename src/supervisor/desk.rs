//! The part of a task's entry that changes under its lock: intents, and what
//! an actor leaves behind for the next.

use std::sync::Arc;

use bytes::Bytes;
use ractor::ActorRef;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    TaskError, budget::RestartBudget, history::History, schedule::Schedule, task::TaskMsg,
};
use crate::{
    connector::{ConnectorError, TaskRequest},
    telemetry::TaskGauge,
};

/// The part of an entry that is changed under its lock.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) actor: Option<ActorRef<TaskMsg>>,
    /// What a Create asked for, until the connector is called with it.
    pub(super) request: Option<Arc<TaskRequest>>,
    /// How the Create ended, once it has.
    pub(super) creation: Option<Result<(), Box<TaskError>>>,
    pub(super) deletion: Deletion,
    pub(super) history: History,
    /// None before the first.
    pub(super) restarts: Option<Box<RestartBudget>>,
    /// The schedule of an actor that a connector's panic stopped.
    pub(super) schedule: Option<Box<Schedule>>,
    pub(super) handle: HandleBytes,
    /// A caller was given the handle.
    pub(super) replied: bool,
    /// When the task reached its terminal phase.
    pub(super) ended: Option<Instant>,
    /// When a caller left its Create before the reply.
    pub(super) abandoned: Option<Instant>,
    /// A higher attempt of the node has come, and nobody asked about this one.
    pub(super) superseded: bool,
    /// The right to adopt, until the first poll is over.
    pub(super) adoption: Option<OwnedSemaphorePermit>,
    /// When the Create's caller stops waiting.
    pub(super) create_deadline: Option<Instant>,
    /// How many Creates share the task, beyond the first: equal plain metas.
    pub(super) sharers: u32,
    /// The actor has left: whoever still holds the entry must look again.
    pub(super) left: bool,
    pub(super) gauge: Option<TaskGauge>,
}

/// The bytes of a task's handle, as long as they are needed: a million tasks
/// have one each, and most say no more than the entry does.
#[derive(Debug, Default)]
pub(super) enum HandleBytes {
    /// Made again from the entry.
    #[default]
    Own,
    /// Made from the entry, for the caller that waits for it.
    New(Box<[u8]>),
    /// Not what would be made from the entry.
    Other(Box<[u8]>),
}

impl HandleBytes {
    /// The bytes for one caller, if they are here.
    pub(super) fn give(&mut self) -> Option<Bytes> {
        match self {
            Self::Own => None,
            Self::New(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Own;
                Some(bytes.into())
            }
            Self::Other(bytes) => Some(Bytes::copy_from_slice(bytes)),
        }
    }
}

/// Where a delete stands.
#[derive(Debug, Clone, Default)]
pub(super) enum Deletion {
    /// Nobody asked for one.
    #[default]
    None,
    /// The actor tries until the backend confirms.
    Wanted { since: Instant, attempts: u32, last: Option<ConnectorError> },
    /// The backend refused for good; the next Delete tries again.
    Refused(ConnectorError),
    /// The backend confirmed, at this time.
    Done(Instant),
}

impl Desk {
    /// The actor leaves.
    pub(super) fn leave(&mut self) {
        self.left = true;
        self.actor = None;
        self.gauge = None;
    }
}

impl Deletion {
    /// Asks for the delete, unless one is under way or done.
    pub(super) fn want(&mut self) {
        if matches!(self, Self::None | Self::Refused(_)) {
            *self = Self::Wanted { since: Instant::now(), attempts: 0, last: None };
        }
    }

    /// True if the job is not polled any more on its account.
    pub(super) fn stops_polls(&self) -> bool {
        matches!(self, Self::Wanted { .. } | Self::Done(_))
    }

    /// True while the actor has a delete to bring about.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted { .. })
    }
}
