//! Deleting the job, until the backend confirms it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Running, TaskMsg, TaskState};
use crate::{
    connector::{ConnectorError, ErrorClass, Phase},
    supervisor::{
        call::{self, Outcome},
        desk::Deletion,
        history::Event,
        line::line,
        trace::Happened,
    },
    telemetry::Operation,
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl TaskState {
    /// Calls the connector's `delete` if one is wanted: instead of a poll, but
    /// after a create.
    pub(super) fn delete(&mut self) {
        if matches!(self.call, Some(Running::Create(_) | Running::Delete { .. }))
            || !self.entry.desk().deletion.is_wanted()
        {
            return;
        }
        self.cancel_timer();
        // Dropping a poll that is under way aborts it.
        self.call = None;
        let Some(job) = self.entry.job().cloned() else {
            return self.deleted(Outcome::Returned(Ok(())));
        };
        let myself = self.myself.clone();
        self.call = Some(Running::Delete {
            began: Instant::now(),
            call: call::start(
                self.shared.settings.delete_limit,
                self.scope(Operation::Delete),
                job.delete(),
                move |outcome| {
                    let _ = myself.send_message(TaskMsg::Deleted(outcome));
                },
            ),
        });
    }

    /// True if a delete is to be brought about: by a caller, by our own decision,
    /// or because the task is an orphan whose create has finished by now.
    pub(super) fn delete_is_wanted(&mut self) -> bool {
        if self.entry.desk().superseded {
            self.superseded();
        }
        self.entry.desk().deletion.is_wanted()
    }

    /// A higher attempt of the node has come, and nobody has asked about this
    /// one: its caller gave it up.
    pub(super) fn superseded(&mut self) {
        let over = self.entry.snapshot().phase.is_terminal() || self.is_deleted();
        if self.entry.job().is_some() && !over && !self.entry.was_asked() {
            self.delete_orphan("a higher attempt of its node was created");
        }
    }

    /// True if nobody will ask about the job.
    pub(super) fn is_orphan(&self) -> bool {
        self.until_orphan() == Some(Duration::ZERO)
    }

    /// The time until the job counts as an orphan, if its Create lost its
    /// caller.
    pub(super) fn until_orphan(&self) -> Option<Duration> {
        let abandoned = self.entry.abandoned_for()?;
        Some(self.shared.settings.orphan_after.saturating_sub(abandoned))
    }

    pub(super) fn delete_orphan(&mut self, why: &str) {
        line!(warn, self.entry, why, "the job is an orphan and is deleted");
        self.entry.kind.metrics.orphaned();
        self.record(Event::DeleteAsked);
        self.entry.change(|desk| desk.deletion.want());
        self.delete();
    }

    /// The connector's `delete` is over.
    pub(super) fn deleted(&mut self, outcome: Outcome<()>) {
        let took = match self.call.take() {
            Some(Running::Delete { began, .. }) => began.elapsed(),
            _ => Duration::ZERO,
        };
        let result = outcome.into_result("delete");
        match result.unwrap_or_else(|panic| Err(ConnectorError::transient(panic))) {
            Ok(()) => self.confirmed(took),
            Err(error) if error.class() == ErrorClass::Gone => self.confirmed(took),
            Err(error) => self.not_deleted(error, took),
        }
    }

    fn confirmed(&mut self, took: Duration) {
        line!(info, self.entry, "deleted");
        let phase = self.entry.snapshot().phase;
        self.shared.tell(&self.entry, Happened::Delete, took, phase, None);
        self.record(Event::Deleted);
        if self.entry.is_sync() && !self.entry.snapshot().phase.is_terminal() {
            // It was aborted, and must never be run a second time.
            let cause = ConnectorError::permanent("deleted before it ended");
            self.shared.end(&self.entry, Phase::Aborted, cause);
        }
        self.shared.tell_end(&self.entry, phase, "");
        let done = Deletion::Done(Instant::now());
        self.entry.change(|desk| desk.deletion = done);
        self.plan_leave();
    }

    fn not_deleted(&mut self, error: ConnectorError, took: Duration) {
        self.record(Event::DeleteFailed { cause: error.message().into(), times: 1 });
        self.note_fault(Operation::Delete, error.class().as_str(), error.message());
        let snapshot = self.entry.snapshot();
        let cause = Some(error.message());
        self.shared.tell(&self.entry, Happened::Delete, took, snapshot.phase, cause);
        let decided = snapshot.decided;
        let mut desk = self.entry.desk();
        let Deletion::Wanted { since, attempts, last } = &mut desk.deletion else {
            return;
        };
        *attempts += 1;
        let doublings = (*attempts - 1).min(16);
        *last = Some(error.clone());
        let given_up = since.elapsed() >= self.shared.settings.give_up_after;
        let refused = error.class() == ErrorClass::Permanent && !decided;
        drop(desk);
        if given_up {
            self.entry.kind.metrics.delete_given_up();
        }
        if given_up || refused {
            return self.refused(error);
        }
        line!(warn, self.entry, cause = %error, "delete failed, it will be tried again");
        let backoff = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        let pause = backoff.mul_f64(0.75 + 0.5 * self.roll());
        let pause = pause.max(error.retry_after().unwrap_or_default().min(LONGEST_PAUSE));
        self.entry.change(|_| ());
        self.plan(pause, || TaskMsg::Delete);
    }

    /// The backend will not delete the job: the task goes on as it was.
    fn refused(&mut self, cause: ConnectorError) {
        line!(
            error,
            self.entry,
            %cause,
            "the job cannot be deleted and may go on running"
        );
        self.entry.change(|desk| desk.deletion = Deletion::Refused(cause));
        if self.entry.snapshot().phase.is_terminal() {
            self.plan_leave();
        } else {
            self.plan(self.shared.polling.interval, || TaskMsg::Poll);
        }
    }

    /// True after a confirmed delete.
    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.entry.desk().deletion, Deletion::Done(_))
    }
}
