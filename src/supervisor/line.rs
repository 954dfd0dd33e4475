//! Lines of the log about a task: all name it by the same fields, which are the
//! attributes of its spans.

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
            flyte.project = id.map(|id| id.project.as_str()),
            flyte.domain = id.map(|id| id.domain.as_str()),
            flyte.execution = id.map(|id| id.name.as_str()),
            flyte.node = id.map(|id| id.node.as_str()),
            flyte.attempt = id.map(|id| id.attempt),
            trace_id = entry.trace.id().map(tracing::field::display),
            $($what)+
        )
    }};
}

pub(super) use line;
