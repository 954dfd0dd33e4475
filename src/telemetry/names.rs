//! The names of attributes, the same in spans and in lines of the log.
//!
//! Those of OpenTelemetry are of its semantic conventions 1.44.

/// The project of the execution.
pub const PROJECT: &str = "flyte.project";
/// The domain of the execution.
pub const DOMAIN: &str = "flyte.domain";
/// The name of the workflow's execution.
pub const EXECUTION: &str = "flyte.execution";
/// The node's id in its own graph.
pub const NODE: &str = "flyte.node";
/// The node's attempt, from 0.
pub const ATTEMPT: &str = "flyte.attempt";
/// The folder for the outputs.
pub const OUTPUT_PREFIX: &str = "flyte.output_prefix";
/// The task type.
pub const TASK_TYPE: &str = "flyte.task_type";
/// The phase that the task has reached.
pub const PHASE: &str = "flyte.phase";
/// The task's own id.
pub const TASK_ID: &str = "flightdeck.task_id";
/// The connector that has the task.
pub const CONNECTOR: &str = "flightdeck.connector";

/// The system of remote procedure calls.
pub(super) const RPC_SYSTEM: &str = "rpc.system.name";
/// The method, with its service.
pub(super) const RPC_METHOD: &str = "rpc.method";
/// The status by its name.
pub(super) const RPC_STATUS: &str = "rpc.response.status_code";
/// What kind of error it was.
pub(super) const ERROR_TYPE: &str = "error.type";

pub(super) const SERVICE_NAME: &str = "service.name";
pub(super) const SERVICE_VERSION: &str = "service.version";
pub(super) const SERVICE_INSTANCE: &str = "service.instance.id";
