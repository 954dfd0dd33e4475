//! What the admin service tells, as text for people.

use std::{fmt::Write, time::SystemTime};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use prost_types::Timestamp;

use super::human::printable;
use crate::{
    connector::Phase,
    wire::flightdeck::v1::{
        ConnectorStatus, DeletionState, Execution, GetStatusResponse, Task, TaskError,
    },
};

/// The most characters of an error in a table.
const ERROR_WIDTH: usize = 60;

/// Tasks, one a row.
pub(super) fn tasks(tasks: &[Task]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "Task",
        "Type",
        "Phase",
        "Execution/Node/Attempt",
        "Age",
        "Unpolled",
        "Last error",
    ]);
    for task in tasks {
        table.add_row([
            printable(&task.task_id),
            printable(&task.task_type),
            phase(task),
            task.execution.as_ref().map(execution).unwrap_or_default(),
            task.created.as_ref().map(since).unwrap_or_default(),
            task.unpolled_for.as_ref().map(duration).unwrap_or_default(),
            task.last_error.as_ref().map(short).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

/// How the service does, a fact a line.
pub(super) fn status(status: &GetStatusResponse) -> String {
    let held: u64 = status.tasks.iter().map(|count| count.count).sum();
    let uptime = status.uptime.as_ref().map(duration).unwrap_or_default();
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(out, "flightdeck {}, up for {uptime}", printable(&status.version));
    let _ = writeln!(
        out,
        "tasks: {held}, room for {} more of {}; {} creates wait",
        status.capacity_left, status.max_tasks, status.waiting_creates
    );
    for count in &status.tasks {
        let phase = count.phase().as_str_name();
        let _ = writeln!(out, "  {} {phase}: {}", printable(&count.task_type), count.count);
    }
    let oldest = status.oldest_unpolled.as_ref().map_or_else(|| "none".to_owned(), unpolled);
    let _ = writeln!(out, "oldest unpolled task: {oldest}");
    let _ = writeln!(out, "restarts: {}", status.restarts);
    let _ = write!(out, "connectors:");
    for connector in &status.connectors {
        let _ = write!(out, "\n  {}", self::connector(connector));
    }
    out
}

/// The phase, with what a delete of our own adds to it.
fn phase(task: &Task) -> String {
    let phase = Phase::try_from(task.phase).unwrap_or_default().as_str_name();
    match task.deletion() {
        DeletionState::None => phase.to_owned(),
        DeletionState::Wanted => format!("{phase}, deleting"),
        DeletionState::Refused => format!("{phase}, delete refused"),
        DeletionState::Confirmed => format!("{phase}, deleted"),
    }
}

fn execution(execution: &Execution) -> String {
    let Execution { name, node, attempt, .. } = execution;
    printable(&format!("{name}/{node}/{attempt}"))
}

fn unpolled(task: &Task) -> String {
    let waited = task.unpolled_for.as_ref().map(duration).unwrap_or_default();
    let cause = task.last_error.as_ref().map(|error| format!(": {}", short(error)));
    let (id, task_type) = (printable(&task.task_id), printable(&task.task_type));
    format!("{id} ({task_type}) for {waited}{}", cause.unwrap_or_default())
}

fn connector(status: &ConnectorStatus) -> String {
    let name = printable(&status.connector);
    let polls = format!("{name}: {} polls in flight", status.polls_in_flight);
    let Some(fault) = &status.last_error else {
        return format!("{polls}, no error");
    };
    let ago = fault.time.as_ref().map(since).unwrap_or_default();
    let operation = printable(&fault.operation);
    let id = printable(&fault.task_id);
    let cause = fault.error.as_ref().map(short).unwrap_or_default();
    format!("{polls}, last error {ago} ago in {operation} of {id}: {cause}")
}

/// The class and the beginning of an error, on one line.
fn short(error: &TaskError) -> String {
    let one_line = error.message.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = match one_line.char_indices().nth(ERROR_WIDTH) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    };
    printable(&format!("{}: {cut}", error.class))
}

/// How long ago a time is; no time at all if the clocks disagree.
fn since(time: &Timestamp) -> String {
    let passed = SystemTime::try_from(*time).ok().and_then(|time| time.elapsed().ok());
    words(passed.unwrap_or_default().as_secs())
}

fn duration(duration: &prost_types::Duration) -> String {
    words(u64::try_from(duration.seconds).unwrap_or_default())
}

/// Seconds in the two largest units that they fill.
fn words(seconds: u64) -> String {
    let all = humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string();
    all.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (7384, "2h 3m"), (86_400, "1day")] {
            assert_eq!(words(seconds), text);
        }
    }

    #[test]
    fn an_error_is_one_line_of_bounded_length_that_steers_no_terminal() {
        let error = |message: &str| {
            short(&TaskError { class: "gone".to_owned(), message: message.to_owned() })
        };
        assert_eq!(error("no\n such\tjob"), "gone: no such job");
        assert_eq!(error("\x1b[2J"), "gone: \\u{1b}[2J");
        let cut = error(&"ä".repeat(100));
        assert_eq!(cut, format!("gone: {}…", "ä".repeat(ERROR_WIDTH)));
    }
}
