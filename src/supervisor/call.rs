//! Calls of a connector, as child tasks of an actor: bounded in time, and a
//! panic is caught.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Either},
};
use opentelemetry::{Context, trace::FutureExt as _};
use tokio::task::AbortHandle;

use super::entry::TaskEntry;
use crate::{
    connector::ConnectorError,
    telemetry::{About, Subject, Told},
};

/// How a call of a connector ended.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// It returned.
    Returned(Result<T, ConnectorError>),
    /// It panicked, with this message.
    Panicked(String),
    /// It was dropped at its limit.
    TimedOut(Duration),
}

impl<T> Outcome<T> {
    /// The result, with a time-out as a transient failure and a panic apart.
    pub(super) fn into_result(self, what: &str) -> Result<Result<T, ConnectorError>, String> {
        match self {
            Self::Returned(result) => Ok(result),
            Self::TimedOut(limit) => Ok(Err(ConnectorError::transient(format!(
                "{what} did not return within {}",
                humantime::format_duration(limit)
            )))),
            Self::Panicked(message) => Err(format!("{what} panicked: {message}")),
        }
    }
}

/// A call under way; dropping it aborts the call.
#[derive(Debug)]
pub(super) struct Call(Option<AbortHandle>);

impl Call {
    /// True once the outcome is delivered.
    pub(super) fn is_over(&self) -> bool {
        self.0.as_ref().is_none_or(AbortHandle::is_finished)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// What a call runs in.
pub(super) struct Scope {
    /// The trace that it belongs to, if there is one.
    pub(super) context: Option<Context>,
    /// The task that lines of the log are about.
    pub(super) entry: Arc<TaskEntry>,
    /// What is asked of the connector.
    pub(super) operation: &'static str,
}

impl Scope {
    fn around<F: Future>(mut self, call: F) -> impl Future<Output = F::Output> {
        let context = self.context.take();
        let call = About::new(Arc::new(self), call);
        match context {
            Some(context) => Either::Left(call.with_context(context)),
            None => Either::Right(call),
        }
    }
}

impl Subject for Scope {
    fn fields(&self, tell: &mut dyn FnMut(&'static str, Told<'_>)) {
        tell("operation", Told::Text(&self.operation));
        self.entry.fields(tell);
    }
}

/// Starts a call that hands its outcome to `deliver`. One that has its answer
/// at once takes no task.
pub(super) fn start<T: Send + 'static>(
    limit: Duration,
    scope: Scope,
    call: BoxFuture<'static, Result<T, ConnectorError>>,
    deliver: impl FnOnce(Outcome<T>) + Send + 'static,
) -> Call {
    let outcome = |result: std::thread::Result<_>| match result {
        Ok(result) => Outcome::Returned(result),
        Err(panic) => Outcome::Panicked(message(panic.as_ref())),
    };
    let mut caught = AssertUnwindSafe(scope.around(call)).catch_unwind();
    if let Some(result) = (&mut caught).now_or_never() {
        deliver(outcome(result));
        return Call(None);
    }
    let task = tokio::spawn(async move {
        deliver(match tokio::time::timeout(limit, caught).await {
            Ok(result) => outcome(result),
            Err(_) => Outcome::TimedOut(limit),
        });
    });
    Call(Some(task.abort_handle()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}
