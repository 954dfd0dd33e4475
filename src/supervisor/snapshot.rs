//! What an actor publishes of its task, and a Get reads.

use std::sync::{Arc, OnceLock};

use crate::{
    connector::{ConnectorError, Phase, Resource},
    wire::flyteidl::admin,
};

/// The state of a task at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    /// What a Get answers.
    pub(super) resource: admin::Resource,
    /// The phase in it.
    pub(super) phase: Phase,
    /// A poll of this process has found out the job's state.
    pub(super) polled: bool,
    /// Why the last poll failed, if it did.
    pub(super) failure: Option<ConnectorError>,
    /// The phase is of our own making: the backend never said so.
    pub(super) decided: bool,
}

impl Snapshot {
    /// The state before the first poll, with the links that are known by then.
    pub(super) fn unpolled(
        phase: Phase,
        log_links: Vec<crate::wire::flyteidl::core::TaskLog>,
    ) -> Self {
        let resource = Resource { log_links, ..Resource::new(phase) };
        Self { resource: resource.into(), phase, polled: false, failure: None, decided: false }
    }

    /// The state that a successful poll found.
    pub(super) fn found(resource: Resource) -> Self {
        Self {
            phase: resource.phase,
            resource: resource.into(),
            polled: true,
            failure: None,
            decided: false,
        }
    }

    /// The last known state while polls fail: the cause is in the message.
    pub(super) fn failing(&self, error: ConnectorError) -> Self {
        let mut next = self.clone();
        next.resource.message = error.message().to_owned();
        next.failure = Some(error);
        next
    }

    /// An end that the backend did not report.
    pub(super) fn decided(&self, phase: Phase, cause: ConnectorError) -> Self {
        let mut next = self.failing(cause);
        next.phase = phase;
        next.resource.phase = phase.into();
        next.resource.outputs = None;
        next.decided = true;
        next
    }

    /// For a task to keep. Most tasks have been found in a phase with nothing
    /// else to say: one snapshot of each serves all of them.
    pub(super) fn kept(self) -> Arc<Self> {
        static PLAIN: [OnceLock<Arc<Snapshot>>; 16] = [const { OnceLock::new() }; 16];
        let at = usize::try_from(i32::from(self.phase)).unwrap_or(usize::MAX);
        match PLAIN.get(at) {
            Some(plain) if self == Self::found(Resource::new(self.phase)) => {
                plain.get_or_init(|| Arc::new(self)).clone()
            }
            _ => Arc::new(self),
        }
    }

    /// True if a Get may be answered from it without waiting for a poll.
    pub(super) fn is_settled(&self) -> bool {
        self.polled || self.failure.is_some() || self.phase.is_terminal()
    }
}
