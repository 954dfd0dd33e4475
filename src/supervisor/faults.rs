//! The last error of each connector, for who looks inside.

use std::time::SystemTime;

use dashmap::DashMap;
use uuid::Uuid;

use crate::telemetry::Operation;

/// A call of a connector that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at: SystemTime,
    /// What was called.
    pub operation: Operation,
    /// The task that it was called for.
    pub task_id: Uuid,
    /// What the failure means for the task, or `panic`.
    pub class: &'static str,
    /// The cause, in words.
    pub message: String,
}

/// One fault for each connector: the last.
#[derive(Debug, Default)]
pub(super) struct Faults(DashMap<String, Fault>);

impl Faults {
    /// Keeps a fault instead of the one before.
    pub(super) fn note(&self, connector: &str, fault: Fault) {
        // Looked up first, so that only the first fault copies the name.
        if let Some(mut last) = self.0.get_mut(connector) {
            *last = fault;
            return;
        }
        self.0.insert(connector.to_owned(), fault);
    }

    /// The last fault of a connector, if it had one.
    pub(super) fn last(&self, connector: &str) -> Option<Fault> {
        self.0.get(connector).map(|fault| fault.clone())
    }
}
