//! Why a request about a task could not be met.

use tonic::Code;

use super::history::BadToken;
use crate::{
    connector::{ConnectorError, MetaError},
    wire::handle::HandleError,
};

/// An error for a caller, with its gRPC code.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TaskError {
    /// No connector has the task type. The text is flytekit's.
    #[error("Cannot find connector for task type: {0}.")]
    UnknownTaskType(String),
    /// An upstream that may have the task type has not told yet what it has.
    #[error(
        "upstream {upstreams} has not answered yet, and task type {task_type} may be one of its;          call again"
    )]
    NotListed {
        /// The task type asked for.
        task_type: String,
        /// The upstreams, by name.
        upstreams: String,
    },
    /// `resource_meta` begins like a handle and is none.
    #[error(
        "resource_meta of a {task_type} task: {source}; pass on the bytes that CreateTask returned"
    )]
    BadHandle {
        /// The task type asked for.
        task_type: String,
        /// What is wrong with the bytes.
        source: HandleError,
    },
    /// The connector cannot read its meta.
    #[error(
        "resource_meta of a {task_type} task is neither a handle nor a meta of connector \
         {connector:?}: {source}; pass on the bytes that CreateTask returned"
    )]
    BadMeta {
        /// The task type asked for.
        task_type: String,
        /// The connector of that task type.
        connector: String,
        /// What is wrong with the bytes.
        source: MetaError,
    },
    /// The handle was made for another connector than the one asked.
    #[error(
        "resource_meta belongs to a task of connector {owner:?}, but task type {task_type} is \
         served by {asked:?}; ask with the task type that the task was created with"
    )]
    OtherConnector {
        /// The task type asked for.
        task_type: String,
        /// The connector that serves it.
        asked: String,
        /// The connector that made the handle.
        owner: String,
    },
    /// The connector failed or refused.
    #[error("failed to {operation} {task_type} task with error:\n {error}")]
    Connector {
        /// What was asked of it.
        operation: &'static str,
        /// The task type.
        task_type: String,
        /// What it said.
        error: ConnectorError,
    },
    /// The connector panicked, or its meta cannot be encoded.
    #[error("failed to {operation} {task_type} task with error:\n {cause}")]
    Fault {
        /// What was asked of it.
        operation: &'static str,
        /// The task type.
        task_type: String,
        /// The panic's message.
        cause: String,
    },
    /// ExecuteTaskSync was called for an async task type.
    #[error(
        "task type {task_type} does not support sync execution: connector {connector:?} is \
         async; call CreateTask"
    )]
    NotSync {
        /// The task type asked for.
        task_type: String,
        /// Its connector.
        connector: String,
    },
    /// The request's stream broke.
    #[error("the request ended early: {0}")]
    Stream(tonic::Status),
    /// An ExecuteTaskSync without its second message.
    #[error(
        "ExecuteTaskSync needs a second message, whose part is inputs; the stream ended before"
    )]
    NoInputs,
    /// There are as many tasks as there may be.
    #[error("{0} tasks are held, which is tasks.max_tasks; try again later or raise the limit")]
    Full(usize),
    /// The backend has not confirmed a delete yet; it goes on.
    #[error("the {task_type} task is not deleted yet, the delete goes on: {cause}")]
    StillDeleting {
        /// The task type.
        task_type: String,
        /// The last failure.
        cause: String,
    },
    /// A page of a log that there is not.
    #[error(transparent)]
    BadToken(#[from] BadToken),
    /// The range asked for has no measurements.
    #[error("no measurements of the task in the range asked for")]
    NoData,
    /// A metric that the task does not have.
    #[error("no metric {asked:?} of this task; there are {known}")]
    UnknownMetric {
        /// The name asked for.
        asked: String,
        /// The names that there are.
        known: String,
    },
    /// The task's actor is gone and was not replaced: the service is stopping.
    #[error("the service is stopping; call again")]
    Stopping,
}

impl TaskError {
    /// The gRPC code of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::UnknownTaskType(_) => Code::NotFound,
            Self::BadHandle { .. }
            | Self::BadMeta { .. }
            | Self::OtherConnector { .. }
            | Self::NotSync { .. }
            | Self::NoInputs
            | Self::BadToken(_)
            | Self::UnknownMetric { .. } => Code::InvalidArgument,
            Self::Connector { error, .. } => error.code(),
            Self::Stream(status) => status.code(),
            Self::Fault { .. } => Code::Internal,
            Self::Full(_) => Code::ResourceExhausted,
            Self::NoData => Code::OutOfRange,
            Self::NotListed { .. } | Self::StillDeleting { .. } | Self::Stopping => {
                Code::Unavailable
            }
        }
    }

    /// flytekit's `error_code` label: 404 for an unknown task type, else 500.
    pub fn metric_code(&self) -> &'static str {
        match self {
            Self::UnknownTaskType(_) => "404",
            _ => "500",
        }
    }
}
