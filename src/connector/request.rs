//! What a connector is handed to start a job.

use std::fmt;

use crate::wire::flyteidl::{
    admin::TaskExecutionMetadata,
    core::{LiteralMap, TaskTemplate},
};

/// Everything the caller said of a task to be created or executed.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRequest {
    /// The compiled task: type, `custom`, interface, container or SQL.
    pub template: TaskTemplate,
    /// The values of the task's inputs, if the caller sent any.
    pub inputs: Option<LiteralMap>,
    /// Where outputs belong that are not returned inline (`{prefix}/outputs.pb`).
    pub output_prefix: String,
    /// The most bytes that the outputs of a sync task may take, where the
    /// caller said so.
    pub max_dataset_size_bytes: i64,
    /// Who runs the task: execution, attempt, labels, service account. Absent
    /// in calls by hand.
    pub metadata: Option<TaskExecutionMetadata>,
    /// To pass on to a backend that can tell a repeated request from a new one.
    pub idempotency_key: IdempotencyKey,
}

/// Names one execution attempt of a task: the same after a restart and on every
/// replica, so that a backend that takes such a key starts one job only. A task
/// without an execution id has a random one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub [u8; 16]);

impl fmt::Display for IdempotencyKey {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({self})")
    }
}
