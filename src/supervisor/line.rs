//! Lines of the log about a task: all name it by the same fields, which are the
//! attributes of its spans.

use super::entry::TaskEntry;
use crate::telemetry::{Subject, Told, names};

/// Logs a line about the task of an entry, with its trace: the name of one of
/// `tracing`'s macros, the entry, and what that macro takes.
macro_rules! line {
    ($level:ident, $entry:expr, $($what:tt)+) => {{
        let entry: &$crate::supervisor::entry::TaskEntry = &$entry;
        let id = entry.execution.as_ref();
        tracing::$level!(
            flightdeck.task_id = %entry.id,
            flightdeck.connector = entry.kind.connector.name(),
            flyte.task_type = entry.kind.category.name,
            flyte.project = id.map(|id| id.project()),
            flyte.domain = id.map(|id| id.domain()),
            flyte.execution = id.map(|id| id.name()),
            flyte.node = id.map(|id| id.node()),
            flyte.attempt = id.map(|id| id.attempt),
            trace_id = entry.trace.id().map(tracing::field::display),
            $($what)+
        )
    }};
}

pub(super) use line;

impl Subject for TaskEntry {
    fn fields(&self, tell: &mut dyn FnMut(&'static str, Told<'_>)) {
        tell(names::TASK_ID, Told::Text(&self.id));
        tell(names::CONNECTOR, Told::Text(&self.kind.connector.name()));
        tell(names::TASK_TYPE, Told::Text(&self.kind.category.name));
        if let Some(id) = &self.execution {
            tell(names::PROJECT, Told::Text(&id.project()));
            tell(names::DOMAIN, Told::Text(&id.domain()));
            tell(names::EXECUTION, Told::Text(&id.name()));
            tell(names::NODE, Told::Text(&id.node()));
            tell(names::ATTEMPT, Told::Number(id.attempt.into()));
        }
        if let Some(trace) = self.trace.id() {
            tell("trace_id", Told::Text(&trace));
        }
    }
}
