//! The admin service's messages, from and to the supervisor's words.

use std::time::Duration;

use tonic::Status;
use uuid::Uuid;

use crate::{
    connector::Phase,
    supervisor::{ConnectorOverview, DeletionState, Fault, Overview, TaskFilter, TaskReport},
    wire::flightdeck::v1::{
        self, ConnectorFault, ConnectorStatus, Execution, GetStatusResponse, ListTasksRequest,
        Task, TaskCount,
    },
};

/// The longest cause that is passed on, in characters: some backends send a
/// whole page.
const LONGEST_CAUSE: usize = 512;

/// Which tasks are asked for.
pub(super) fn filter(request: ListTasksRequest) -> Result<TaskFilter, Status> {
    let phase = Phase::try_from(request.phase).map_err(|_| {
        Status::invalid_argument(format!("phase {} is not one of Flyte's phases", request.phase))
    })?;
    let min_age = request.min_age.map(Duration::try_from).transpose().map_err(|error| {
        Status::invalid_argument(format!("min_age is not a duration from 0 on: {error}"))
    })?;
    let given = |name: String| (!name.is_empty()).then_some(name);
    Ok(TaskFilter {
        project: given(request.project),
        domain: given(request.domain),
        execution: given(request.execution),
        task_type: given(request.task_type),
        phase: (phase != Phase::Undefined).then_some(phase),
        min_age,
    })
}

/// The task behind which a listing begins.
pub(super) fn after(request: &ListTasksRequest) -> Result<Option<Uuid>, Status> {
    if request.after.is_empty() {
        return Ok(None);
    }
    let id = Uuid::parse_str(&request.after);
    id.map(Some).map_err(|error| {
        Status::invalid_argument(format!("after is not the id of a task: {error}"))
    })
}

/// How many tasks are asked for.
pub(super) fn limit(request: &ListTasksRequest) -> usize {
    match usize::try_from(request.limit) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    }
}

/// A task on the wire.
pub(super) fn task(report: TaskReport) -> Task {
    let cause = report.failure.as_ref();
    Task {
        task_id: report.id.to_string(),
        execution: report.execution.as_ref().map(Execution::from),
        task_type: report.category.name,
        task_type_version: report.category.version,
        connector: report.connector,
        phase: report.phase.into(),
        created: Some(report.created.into()),
        since_asked: duration(report.unasked_for),
        since_polled: report.since_polled.and_then(duration),
        unpolled_for: report.unpolled_for.and_then(duration),
        last_error: cause.map(|error| cause_of(error.class().as_str(), error.message())),
        restarts: report.restarts,
        deletion: deletion(report.deletion).into(),
    }
}

/// The service as a whole on the wire.
pub(super) fn status(overview: Overview, uptime: Duration) -> GetStatusResponse {
    let tasks = overview.counts.into_iter().flat_map(|(task_type, phases)| {
        phases.into_iter().map(move |(phase, count)| TaskCount {
            task_type: task_type.clone(),
            phase: phase.into(),
            count,
        })
    });
    GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime: duration(uptime),
        tasks: tasks.collect(),
        max_tasks: overview.max_tasks as u64,
        capacity_left: overview.capacity_left as u64,
        oldest_unpolled: overview.oldest_unpolled.map(task),
        restarts: overview.restarts,
        waiting_creates: overview.waiting_creates as u64,
        connectors: overview.connectors.into_iter().map(connector).collect(),
    }
}

fn connector((name, overview): (String, ConnectorOverview)) -> ConnectorStatus {
    ConnectorStatus {
        connector: name,
        polls_in_flight: overview.polls_in_flight as u64,
        last_error: overview.fault.map(fault),
    }
}

fn fault(fault: Fault) -> ConnectorFault {
    ConnectorFault {
        time: Some(fault.at.into()),
        operation: fault.operation.as_str().to_owned(),
        task_id: fault.task_id.to_string(),
        error: Some(cause_of(fault.class, &fault.message)),
    }
}

fn cause_of(class: &str, message: &str) -> v1::TaskError {
    let message = match message.char_indices().nth(LONGEST_CAUSE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    };
    v1::TaskError { class: class.to_owned(), message }
}

fn deletion(state: DeletionState) -> v1::DeletionState {
    match state {
        DeletionState::None => v1::DeletionState::None,
        DeletionState::Wanted => v1::DeletionState::Wanted,
        DeletionState::Refused => v1::DeletionState::Refused,
        DeletionState::Confirmed => v1::DeletionState::Confirmed,
    }
}

/// None only for a duration beyond what the wire can say, ten thousand years.
fn duration(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}
