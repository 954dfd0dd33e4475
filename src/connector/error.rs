//! What a connector says when a call to its backend fails.

use std::time::Duration;

use tonic::Code;

/// What a failure means for the task it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// It may pass (time-out, 5xx, 429, no connection): the task keeps its
    /// state and is polled again later.
    Transient,
    /// It will not pass: the task ends as FAILED with the cause.
    Permanent,
    /// The backend refuses our credentials (401, 403). Credentials are
    /// rotated, so it must persist before the task ends as FAILED.
    Denied,
    /// The backend does not know the job. Backends lag, so it must persist
    /// before the task ends as RETRYABLE_FAILED. For a delete it is success.
    Gone,
    /// The backend answers, and fails on this job with an error that says
    /// nothing of how long: a bug there, or one of its own backends. It must
    /// persist before the task ends as RETRYABLE_FAILED.
    Internal,
}

impl ErrorClass {
    /// The value of the `class` label in metrics and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Denied => "denied",
            Self::Gone => "gone",
            Self::Internal => "internal",
        }
    }
}

/// A failed call of a connector: its class, the gRPC code that a caller sees,
/// and a message in words for the task's owner.
///
/// The message reaches the user's console: say what was asked of whom and what
/// came back, and leave out secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct ConnectorError(
    // Boxed: every result of a call, and every task, has room for one.
    Box<Failure>,
);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    class: ErrorClass,
    code: Code,
    message: String,
    retry_after: Option<Duration>,
    sent: bool,
}

impl ConnectorError {
    /// A failure that may pass. UNAVAILABLE.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Transient, Code::Unavailable, message)
    }

    /// A failure before anything reached the backend (connection refused, name
    /// not found), so that even a create may be tried again. A create that was
    /// sent under an idempotency key which the backend honours may say this of
    /// a lost reply too. UNAVAILABLE.
    pub fn unreached(message: impl Into<String>) -> Self {
        let mut error = Self::transient(message);
        error.0.sent = false;
        error
    }

    /// A failure that no repeat will mend. INTERNAL, as flytekit answers every
    /// failure of a connector.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Permanent, Code::Internal, message)
    }

    /// The task itself is wrong: a field of the template is missing, an input
    /// has the wrong type. INVALID_ARGUMENT.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Permanent, Code::InvalidArgument, message)
    }

    /// The backend refused our credentials. PERMISSION_DENIED.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Denied, Code::PermissionDenied, message)
    }

    /// The backend does not know the job. NOT_FOUND.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Gone, Code::NotFound, message)
    }

    /// The backend failed on this job, nobody knows for how long. INTERNAL.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Internal, Code::Internal, message)
    }

    /// Sets how long the backend asked us to wait (`Retry-After`).
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// What the failure means for the task.
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// The gRPC code for a caller who waits for this very call.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The cause, in words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How long the backend asked us to wait before the next call.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// False only if the backend surely saw nothing of the call.
    pub fn was_sent(&self) -> bool {
        self.0.sent
    }

    fn new(class: ErrorClass, code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Failure { class, code, message, retry_after: None, sent: true }))
    }
}
