//! What an actor publishes of its task, and a Get reads.

use crate::{
    connector::{ConnectorError, Phase, Resource},
    wire::flyteidl::admin,
};

/// The state of a task at one moment.
#[derive(Debug, Clone)]
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
    /// Counts what was published, so that a reader can wait for the next.
    pub(super) number: u64,
}

impl Snapshot {
    /// The state before the first poll, with the links that are known by then.
    pub(super) fn unpolled(
        phase: Phase,
        log_links: Vec<crate::wire::flyteidl::core::TaskLog>,
    ) -> Self {
        let resource = Resource { log_links, ..Resource::new(phase) };
        Self {
            resource: resource.into(),
            phase,
            polled: false,
            failure: None,
            decided: false,
            number: 0,
        }
    }

    /// The state that a successful poll found.
    pub(super) fn found(resource: Resource) -> Self {
        Self {
            phase: resource.phase,
            resource: resource.into(),
            polled: true,
            failure: None,
            decided: false,
            number: 0,
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

    /// True if a Get may be answered from it without waiting for a poll.
    pub(super) fn is_settled(&self) -> bool {
        self.polled || self.failure.is_some() || self.phase.is_terminal()
    }
}
