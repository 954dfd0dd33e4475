//! Finding out how the job is.

use std::time::Duration;

use tokio::time::Instant;

use super::{ConnectorPanic, Running, TaskMsg, TaskState};
use crate::{
    connector::{ConnectorError, Phase, Resource},
    supervisor::{
        call::{self, Outcome},
        gate::{Entrance, PollPermit},
        history::{Event, PollSample},
        line::line,
        schedule::Verdict,
        snapshot::Snapshot,
        trace::Happened,
    },
    telemetry::Operation,
};

impl TaskState {
    /// The pause is over.
    pub(super) fn poll_in_time(&mut self) {
        self.schedule.rested();
        self.timer = None;
        self.awaited = None;
        self.poll();
    }

    /// The job has changed, says the connector.
    pub(super) fn poll_early(&mut self) {
        self.schedule.woken();
        self.timer = None;
        self.due = Instant::now();
        self.poll();
    }

    /// Begins a poll, unless the task ends or leaves instead.
    pub(super) fn poll(&mut self) {
        if self.call.is_some() || self.queued || self.is_over() {
            return;
        }
        if self.is_orphan() {
            return self.delete_orphan("nobody asked about it after its Create lost its caller");
        }
        if self.until_deadline() == Some(Duration::ZERO) {
            return self.time_out();
        }
        if self.entry.unasked_for() >= self.shared.settings.idle_timeout {
            line!(
                info,
                self.entry,
                "nobody asks about the task: it leaves, its job is not touched"
            );
            return self.leave();
        }
        if self.entry.is_sync() {
            // It is the caller's own call, not one of the connector's polls.
            self.entry.kind.metrics.poll_began(self.due.elapsed());
            return self.call_get(None);
        }
        match self.entry.kind.gate.enter(self.entry.kind.flow.clone(), &self.myself) {
            Entrance::Open(permit) => self.admitted(permit),
            Entrance::Queued => self.queued = true,
        }
    }

    /// It is this task's turn to poll, unless there is nothing left to find
    /// out.
    pub(super) fn admitted(&mut self, permit: PollPermit) {
        self.queued = false;
        if self.call.is_none() && !self.is_over() {
            self.entry.kind.metrics.poll_began(self.due.elapsed());
            self.call_get(Some(permit));
        }
    }

    /// Looks at the backend once more for a caller who asks about a deleted
    /// task.
    pub(super) fn look(&mut self) {
        if self.call.is_none() && !self.entry.is_sync() {
            self.call_get(None);
        }
    }

    fn call_get(&mut self, permit: Option<PollPermit>) {
        let Some(job) = self.entry.job().cloned() else {
            return;
        };
        let settings = &self.shared.settings;
        let (limit, operation) = match self.entry.is_sync() {
            true => (settings.do_limit, Operation::Do),
            false => (settings.get_limit, Operation::Get),
        };
        let scope = self.scope(operation);
        let myself = self.myself.clone();
        self.call = Some(Running::Poll {
            began: Instant::now(),
            permit,
            call: call::start(limit, scope, job.get(), move |outcome| {
                let _ = myself.send_message(TaskMsg::Polled(Box::new(outcome)));
            }),
        });
    }

    /// The connector's `get` is over. An error stops the actor.
    pub(super) fn polled(&mut self, outcome: Outcome<Resource>) -> Result<(), ConnectorPanic> {
        // A poll that a Delete has aborted may still report.
        let Some(Running::Poll { began, .. }) = &self.call else {
            return Ok(());
        };
        let took = began.elapsed();
        self.call = None;
        self.entry.kind.metrics.poll_took(took);
        let timed_out = matches!(outcome, Outcome::TimedOut(_));
        let operation = if self.entry.is_sync() { "do" } else { "get" };
        let result = outcome.into_result(operation);
        self.sample(took, matches!(result, Ok(Ok(_))));
        match result.map(|result| result.and_then(with_phase)) {
            Ok(Ok(resource)) => self.found(resource, took),
            Ok(Err(error)) if self.entry.is_sync() => self.sync_failed(error, timed_out, took),
            Ok(Err(error)) => self.failed(error, took),
            Err(cause) => return self.panicked(cause, took),
        }
        Ok(())
    }

    fn found(&mut self, mut resource: Resource, took: Duration) {
        self.entry.kind.metrics.polled();
        let is_first = self.entry.polled_for().is_none();
        self.entry.note_poll();
        let before = self.entry.snapshot();
        if resource.log_links.is_empty() {
            resource.log_links = self.entry.job().map(|job| job.log_links()).unwrap_or_default();
        }
        let phase = resource.phase;
        let message = resource.message.clone().unwrap_or_default();
        self.record(match phase.is_terminal() {
            true => Event::Ended { phase, message: message.as_str().into() },
            false => Event::Polled { phase, times: 1 },
        });
        if is_first {
            self.shared.tell(&self.entry, Happened::FirstPoll, took, phase, None);
        }
        if before.phase != phase {
            line!(info, self.entry, flyte.phase = phase.as_str_name(), "phase changed");
            self.shared.tell(&self.entry, Happened::PhaseChange, took, phase, None);
        }
        if phase.is_terminal() {
            self.shared.tell_end(&self.entry, phase, &message);
        }
        self.entry.publish(Snapshot::found(resource));
        let pause = self.schedule.succeeded(&self.entry.kind.policy, Instant::now(), self.roll());
        match self.time_to_next(phase, pause) {
            Some(pause) => self.plan_poll(pause),
            None => self.ended(),
        }
    }

    fn failed(&mut self, error: ConnectorError, took: Duration) {
        self.note_failure(error.class().as_str(), &error, took);
        let (patience, roll) = (self.shared.patience(), self.roll());
        let policy = &self.entry.kind.policy;
        let verdict = self.schedule.failed(policy, &error, patience, Instant::now(), roll);
        match verdict {
            // A task that was deleted has no end left to decide.
            Verdict::End(phase) if !self.is_deleted() => self.end(phase, error),
            Verdict::End(phase) => {
                let before = self.entry.snapshot();
                self.entry.publish(before.failing(error));
                self.go_on(phase, Duration::ZERO);
            }
            Verdict::Again(pause) => {
                let before = self.entry.snapshot();
                self.entry.publish(before.failing(error));
                self.go_on(before.phase, pause);
            }
        }
    }

    /// A sync task is run once: its error is its end.
    fn sync_failed(&mut self, error: ConnectorError, timed_out: bool, took: Duration) {
        self.note_failure(error.class().as_str(), &error, took);
        if timed_out {
            let end = Resource::new(Phase::RetryableFailed).with_message(error.message());
            self.found(end, took);
        } else {
            self.end(Phase::RetryableFailed, error);
        }
    }

    fn panicked(&mut self, cause: String, took: Duration) -> Result<(), ConnectorPanic> {
        let error = ConnectorError::permanent(cause.clone());
        self.note_failure("panic", &error, took);
        if self.entry.is_sync() {
            self.end(Phase::RetryableFailed, error);
            return Ok(());
        }
        let before = self.entry.snapshot();
        self.entry.publish(before.failing(error.clone()));
        // A panic counts as a failed poll; what it means is the budget's matter.
        let transient = ConnectorError::transient(cause.clone());
        let (patience, roll) = (self.shared.patience(), self.roll());
        self.schedule.failed(&self.entry.kind.policy, &transient, patience, Instant::now(), roll);
        let schedule = self.schedule.clone();
        self.entry.change(|desk| desk.schedule = Some(Box::new(schedule)));
        Err(ConnectorPanic(cause))
    }

    fn time_out(&mut self) {
        let age = self.shared.world.now().duration_since(self.entry.created);
        let age = Duration::from_secs(age.unwrap_or_default().as_secs());
        let cause = format!("timed out after {}", humantime::format_duration(age));
        self.end(Phase::RetryableFailed, ConnectorError::permanent(cause));
    }

    /// Ends the task by our own decision and deletes its job.
    fn end(&mut self, phase: Phase, cause: ConnectorError) {
        line!(
            warn,
            self.entry,
            flyte.phase = phase.as_str_name(),
            %cause,
            "the task ends by our decision"
        );
        self.shared.end(&self.entry, phase, cause);
        self.delete();
    }

    /// True if nothing is left to find out.
    fn is_over(&self) -> bool {
        let polled_no_more = self.entry.snapshot().phase.is_terminal() || self.is_deleted();
        polled_no_more || self.entry.desk().deletion.is_wanted()
    }

    fn go_on(&mut self, phase: Phase, pause: Duration) {
        match self.time_to_next(phase, pause) {
            Some(pause) => self.plan(pause, || TaskMsg::Poll),
            None => self.ended(),
        }
    }

    /// The pause until the next poll; `None` if there is nothing left to find
    /// out.
    fn time_to_next(&self, phase: Phase, pause: Duration) -> Option<Duration> {
        if phase.is_terminal() || self.is_deleted() {
            return None;
        }
        let pause = self.until_deadline().map_or(pause, |left| left.min(pause));
        Some(self.until_orphan().map_or(pause, |left| left.min(pause)))
    }

    fn note_failure(&mut self, label: &'static str, error: &ConnectorError, took: Duration) {
        line!(debug, self.entry, class = label, cause = %error, "poll failed");
        let phase = self.entry.snapshot().phase;
        let cause = Some(error.message());
        self.shared.tell(&self.entry, Happened::FailedPoll, took, phase, cause);
        self.entry.kind.metrics.poll_failed(label);
        let operation = if self.entry.is_sync() { Operation::Do } else { Operation::Get };
        self.note_fault(operation, label, error.message());
        self.record(Event::PollFailed {
            class: error.class(),
            cause: error.message().into(),
            times: 1,
        });
    }

    fn sample(&self, took: Duration, succeeded: bool) {
        let at = self.shared.world.now();
        let sample = PollSample { at: at.checked_sub(took).unwrap_or(at), took, succeeded };
        self.entry.desk().history.sample(sample);
    }

    pub(super) fn record(&self, event: Event) {
        let at = self.shared.world.now();
        self.entry.desk().history.record(at, event);
    }
}

/// Propeller reads an unset phase as a retryable failure.
fn with_phase(resource: Resource) -> Result<Resource, ConnectorError> {
    match resource.phase {
        Phase::Undefined => {
            Err(ConnectorError::transient("the connector returned a resource without a phase"))
        }
        _ => Ok(resource),
    }
}
