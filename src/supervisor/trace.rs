//! What is told of a task in the spans of its trace: a root at creation, and
//! one child for each thing that happened. Unchanged polls are none.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::KeyValue;

use super::{call::Scope, entry::TaskEntry, history::Event, tasks::Shared};
use crate::{
    connector::{ConnectorError, Phase},
    telemetry::{RpcSpan, TaskSpan, TaskTrace, names},
    wire::handle::Handle,
};

const CREATE: &str = "create";
const DELETE: &str = "delete";
const FIRST_POLL: &str = "first poll";
const FAILED_POLL: &str = "failed poll";
const PHASE_CHANGE: &str = "phase change";
const END: &str = "end";

/// Something that happened to a task and is over.
#[derive(Debug, Clone, Copy)]
pub(super) enum Happened {
    /// The connector's `create`.
    Create,
    /// The first poll of this process that found out the state.
    FirstPoll,
    /// A poll that did not.
    FailedPoll,
    /// A poll that found another phase than before.
    PhaseChange,
    /// A call of the connector's `delete`.
    Delete,
}

impl Happened {
    fn name(self) -> &'static str {
        match self {
            Self::Create => CREATE,
            Self::FirstPoll => FIRST_POLL,
            Self::FailedPoll => FAILED_POLL,
            Self::PhaseChange => PHASE_CHANGE,
            Self::Delete => DELETE,
        }
    }
}

impl Shared {
    /// The trace of a new task: sampled if the request that makes it is.
    pub(super) fn new_trace(&self) -> TaskTrace {
        self.traces.begin(RpcSpan::current().is_some())
    }

    /// The trace of a handle, if it has one and there are traces here.
    pub(super) fn trace_of(&self, handle: Option<&Handle>) -> Option<TaskTrace> {
        let context = &handle.filter(|_| self.traces.is_on())?.trace_context;
        TaskTrace::decode(context)
    }

    /// The output prefix, if spans are to tell it.
    pub(super) fn told_prefix(&self, output_prefix: &str) -> Option<Box<str>> {
        let is_told = self.traces.is_on() && !output_prefix.is_empty();
        is_told.then(|| output_prefix.into())
    }

    /// Tells of a new task, whose trace begins here: its root, linked with the
    /// request that made it.
    pub(super) fn tell_root(&self, entry: &TaskEntry) {
        if entry.trace.is_sampled() {
            let attributes = entry.attributes(None);
            let request = RpcSpan::current();
            self.traces.emit_root(&entry.trace, entry.created, attributes, request);
        }
    }

    /// Tells of the current request which task it is about.
    pub(super) fn tell_request(&self, entry: &TaskEntry) {
        if self.traces.is_on() {
            RpcSpan::describe(&entry.trace, || entry.attributes(Some(entry.snapshot().phase)));
        }
    }

    /// Tells of something that took so long and is over now.
    pub(super) fn tell(
        &self,
        entry: &TaskEntry,
        what: Happened,
        took: Duration,
        phase: Phase,
        error: Option<&str>,
    ) {
        if entry.trace.is_sampled() {
            let end = self.world.now();
            let start = end.checked_sub(took).unwrap_or(end);
            self.emit(entry, what.name(), (start, end), Some(phase), error.map(str::to_owned));
        }
    }

    /// Tells of the connector's `create`, which began with the task.
    pub(super) fn tell_create(&self, entry: &TaskEntry, error: Option<&str>) {
        let took = self.world.now().duration_since(entry.created).unwrap_or_default();
        self.tell(entry, Happened::Create, took, Phase::Initializing, error);
    }

    /// Tells of the end of a task, once: a span as long as its life, so that a
    /// search by duration finds it, and the whole trace of a failure that was
    /// not sampled.
    pub(super) fn tell_end(&self, entry: &TaskEntry, phase: Phase, message: &str) {
        if !entry.trace.end() {
            return;
        }
        let now = self.world.now();
        let failed = matches!(phase, Phase::Failed | Phase::RetryableFailed);
        if phase.is_terminal() {
            let took = now.duration_since(entry.created).unwrap_or_default();
            entry.kind.metrics.task_took(phase.as_str_name(), took);
        }
        if failed && self.traces.finds_failures() && entry.trace.sample() {
            self.tell_history(entry);
        }
        if entry.trace.is_sampled() {
            let error = failed.then(|| message.to_owned());
            self.emit(entry, END, (entry.created, now), Some(phase), error);
        }
    }

    /// Ends a task by our own decision, unless it has ended, and tells of it.
    pub(super) fn end(&self, entry: &TaskEntry, phase: Phase, cause: ConnectorError) {
        if entry.snapshot().phase.is_terminal() {
            return;
        }
        let message = cause.message().to_owned();
        entry.end(self.world.now(), phase, cause);
        self.tell(entry, Happened::PhaseChange, Duration::ZERO, phase, Some(&message));
        self.tell_end(entry, phase, &message);
    }

    /// Tells what this process remembers of a task that was not sampled.
    fn tell_history(&self, entry: &TaskEntry) {
        let attributes = entry.attributes(None);
        self.traces.emit_root(&entry.trace, entry.created, attributes, None);
        let events: Vec<(SystemTime, Event)> =
            entry.desk().history.events().map(|(at, event)| (at, event.clone())).collect();
        let mut last = Phase::Initializing;
        let mut polled = false;
        for (at, event) in events {
            let told = |name, phase, error: Option<Box<str>>| {
                let start = if name == CREATE { entry.created } else { at };
                self.emit(entry, name, (start, at), Some(phase), error.map(String::from));
            };
            match event {
                Event::Created => told(CREATE, last, None),
                Event::Polled { phase, .. } => {
                    if !std::mem::replace(&mut polled, true) {
                        told(FIRST_POLL, phase, None);
                    }
                    if std::mem::replace(&mut last, phase) != phase {
                        told(PHASE_CHANGE, phase, None);
                    }
                }
                Event::Ended { phase, message } => told(PHASE_CHANGE, phase, Some(message)),
                Event::PollFailed { cause, .. } => told(FAILED_POLL, last, Some(cause)),
                Event::DeleteFailed { cause, .. } => told(DELETE, last, Some(cause)),
                Event::Deleted => told(DELETE, last, None),
                Event::Adopted | Event::Restarted { .. } | Event::DeleteAsked => {}
            }
        }
    }

    fn emit(
        &self,
        entry: &TaskEntry,
        name: &'static str,
        (start, end): (SystemTime, SystemTime),
        phase: Option<Phase>,
        error: Option<String>,
    ) {
        let attributes = entry.attributes(phase);
        let span = TaskSpan { name, start, end, attributes, error };
        self.traces.emit(&entry.trace, entry.created, span);
    }

    /// What a call of the connector runs in: its lines of the log name the task,
    /// its spans and requests belong to the task's trace.
    pub(super) fn scope(&self, entry: &Arc<TaskEntry>, operation: &'static str) -> Scope {
        Scope { context: self.traces.context(&entry.trace), entry: entry.clone(), operation }
    }
}

impl TaskEntry {
    /// What spans tell of the task.
    fn attributes(&self, phase: Option<Phase>) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(10);
        let mut tell = |name, value: &str| attributes.push(KeyValue::new(name, value.to_owned()));
        tell(names::TASK_ID, &self.id.to_string());
        tell(names::CONNECTOR, self.kind.connector.name());
        tell(names::TASK_TYPE, &self.kind.category.name);
        if let Some(prefix) = &self.output_prefix {
            tell(names::OUTPUT_PREFIX, prefix);
        }
        if let Some(id) = &self.execution {
            tell(names::PROJECT, id.project());
            tell(names::DOMAIN, id.domain());
            tell(names::EXECUTION, id.name());
            tell(names::NODE, id.node());
        }
        if let Some(phase) = phase {
            attributes.push(KeyValue::new(names::PHASE, phase.as_str_name()));
        }
        if let Some(id) = &self.execution {
            attributes.push(KeyValue::new(names::ATTEMPT, i64::from(id.attempt)));
        }
        attributes
    }
}

/// A time as handles have it, so that a root is not later than its children.
pub(super) fn in_whole_millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + super::whole_millis(since)
}
