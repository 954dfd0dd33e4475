//! What a connector tells of a job.

use prost_types::Struct;

use super::Phase;
use crate::wire::flyteidl::{
    admin,
    core::{LiteralMap, TaskLog},
};

/// The state of a job, as `get` or `do` found it.
///
/// Propeller shows only the first reply of each phase, so whatever belongs to a
/// phase (links, `custom_info`) should come with its first [`Resource`].
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Where the job stands.
    pub phase: Phase,
    /// A line for the task's owner. Propeller drops it while RUNNING.
    pub message: Option<String>,
    /// Links to the backend's own pages of the job.
    pub log_links: Vec<TaskLog>,
    /// The task's outputs, if they are not written to its output prefix.
    pub outputs: Option<LiteralMap>,
    /// Anything else to show, as a structure.
    pub custom_info: Option<Struct>,
    /// Why a sync task failed, in a form that propeller understands.
    pub agent_error: Option<admin::AgentError>,
}

impl Resource {
    /// A resource in this phase, with nothing else to say.
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            message: None,
            log_links: Vec::new(),
            outputs: None,
            custom_info: None,
            agent_error: None,
        }
    }

    /// Sets the message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets the outputs.
    #[must_use]
    pub fn with_outputs(mut self, outputs: LiteralMap) -> Self {
        self.outputs = Some(outputs);
        self
    }
}

impl From<Resource> for admin::Resource {
    /// As flytekit fills it: the deprecated `state` stays unset.
    fn from(resource: Resource) -> Self {
        Self {
            phase: resource.phase.into(),
            message: resource.message.unwrap_or_default(),
            log_links: resource.log_links,
            outputs: resource.outputs,
            custom_info: resource.custom_info,
            agent_error: resource.agent_error,
            ..Self::default()
        }
    }
}

impl Phase {
    /// True for the phases after which nothing changes any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Aborted | Self::Failed | Self::RetryableFailed)
    }

    /// The phase for the name of a backend's state, in any case, by flytekit's
    /// table (`convert_to_flyte_phase`); `None` for a name it does not have.
    pub fn from_state_name(state: &str) -> Option<Self> {
        match state.to_lowercase().as_str() {
            "failed" | "timeout" | "timedout" | "canceled" | "cancelled" | "skipped" => {
                Some(Self::Failed)
            }
            "internal_error" => Some(Self::RetryableFailed),
            "done" | "succeeded" | "success" | "completed" => Some(Self::Succeeded),
            "running" | "terminating" => Some(Self::Running),
            "pending" => Some(Self::Initializing),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_names_map_as_in_flytekit() {
        for (state, phase) in [
            ("FAILED", Some(Phase::Failed)),
            ("TimedOut", Some(Phase::Failed)),
            ("INTERNAL_ERROR", Some(Phase::RetryableFailed)),
            ("Done", Some(Phase::Succeeded)),
            ("terminating", Some(Phase::Running)),
            ("PENDING", Some(Phase::Initializing)),
            ("exploded", None),
        ] {
            assert_eq!(Phase::from_state_name(state), phase, "{state}");
        }
    }
}
