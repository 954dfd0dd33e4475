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
    pub(super) asked: Option<Box<Asked>>,
    pub(super) creation: Creation,
    pub(super) deletion: Deletion,
    pub(super) history: History,
    /// None before the first.
    pub(super) restarts: Option<Box<RestartBudget>>,
    /// The schedule of an actor that a connector's panic stopped.
    pub(super) schedule: Option<Box<Schedule>>,
    /// A caller was given the handle.
    pub(super) replied: bool,
    /// A higher attempt of the node has come, and nobody asked about this one.
    pub(super) superseded: bool,
    /// The right to adopt, until the first poll is over.
    pub(super) adoption: Option<Box<OwnedSemaphorePermit>>,
    /// How many Creates share the task, beyond the first: equal plain metas.
    pub(super) sharers: u32,
    /// The actor has left: whoever still holds the entry must look again.
    pub(super) left: bool,
    pub(super) gauge: Option<TaskGauge>,
}

/// A job to be created.
pub(super) struct Asked {
    pub(super) request: Arc<TaskRequest>,
    /// When the Create's caller stops waiting.
    pub(super) until: Option<Instant>,
}

/// How a task's Create ended. The bytes of the handle are kept as long as they
/// are needed: a million tasks have one each.
#[derive(Default)]
pub(super) enum Creation {
    /// It has not.
    #[default]
    UnderWay,
    Failed(Box<TaskError>),
    /// With the handle that is made from the entry.
    Own,
    /// The same, here for the caller that waits for it.
    New(Box<[u8]>),
    /// With a handle that is not what would be made from the entry.
    Other(Box<[u8]>),
}

impl Creation {
    /// The result, once it has ended.
    pub(super) fn result(&self) -> Option<Result<(), Box<TaskError>>> {
        match self {
            Self::UnderWay => None,
            Self::Failed(error) => Some(Err(error.clone())),
            Self::Own | Self::New(_) | Self::Other(_) => Some(Ok(())),
        }
    }

    /// The bytes of the handle for one caller, if they are here.
    pub(super) fn give(&mut self) -> Option<Bytes> {
        match self {
            Self::New(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Own;
                Some(bytes.into())
            }
            Self::Other(bytes) => Some(Bytes::copy_from_slice(bytes)),
            Self::UnderWay | Self::Failed(_) | Self::Own => None,
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
