//! What must be true of the backend's jobs, and of answers about them.

use std::{collections::BTreeMap, time::Duration};

use flightdeck::{
    connector::{ErrorClass, Phase},
    supervisor::TaskError,
};
use tonic::Code;

use super::{
    attempt::{Attempt, Kind},
    backend::{Outcome, State},
    ledger::{job, numbers_of},
    moment::Moment,
    system::{System, TICK},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

impl System {
    /// A task that has not ended is polled, however badly that goes.
    pub(super) fn check_polling(&self, attempt: &Attempt, phase: Phase) {
        let Some(task) = self.ledger.tasks.get(attempt) else {
            return;
        };
        // While a job is being deleted nobody looks at it.
        let deleting = task.job.is_some_and(|number| self.ledger.deletable.contains(&number));
        if deleting || task.intent.is_some() || phase.is_terminal() || attempt.kind != Kind::Job {
            return;
        }
        let polls = job(task, &self.backend).map(|job| job.polls).unwrap_or_default();
        let last = polls.last().map_or(task.began, |poll| poll.at.max(task.began));
        let longest = self.config.polling.max_backoff.mul_f64(1.0 + self.config.polling.jitter);
        let ago = self.backend.now().saturating_sub(last);
        let limit = longest + self.config.tasks.get_limit + SECOND;
        assert!(ago <= limit, "{attempt:?}: the last poll was {ago:?} ago");
    }

    pub(super) fn check_delete(
        &self,
        attempt: Attempt,
        since: Option<Moment>,
        reply: Result<(), TaskError>,
    ) {
        let Some(task) = self.ledger.tasks.get(&attempt) else {
            return;
        };
        let (Some(since), Some(job)) = (since, job(task, &self.backend)) else {
            assert!(reply.is_ok(), "{attempt:?}: {reply:?} for a Delete of a finished job");
            return;
        };
        let tried_for = self.backend.now().saturating_sub(since);
        let number = task.job.unwrap_or_default();
        match reply {
            Ok(()) => {
                // Something else may have wanted it deleted before.
                let earlier = self.ledger.deletable.contains(&number);
                assert!(
                    !job.is_live() || earlier || tried_for >= MINUTE || self.minute_is_over(),
                    "{attempt:?}: a Delete was confirmed and the job runs"
                );
            }
            Err(error) if error.code() == Code::Unavailable => {
                let limit = MINUTE + self.config.tasks.delete_wait + TICK;
                assert!(tried_for <= limit, "{attempt:?}: still {error} after {tried_for:?}");
            }
            Err(error) => {
                let refused = job
                    .deletes
                    .iter()
                    .any(|call| call.outcome == Outcome::Failed(ErrorClass::Permanent));
                assert!(refused, "{attempt:?}: a Delete failed: {error}");
            }
        }
    }

    /// True if the minute may be over that the Deletes of a workflow have in
    /// all to be errors: every task of the model is of one. It begins with a
    /// call that is noted when it ends, up to its limit later.
    fn minute_is_over(&self) -> bool {
        let jobs = self.backend.jobs();
        let first = jobs.iter().flat_map(|job| &job.deletes).map(|call| call.at).min();
        let limit = self.config.tasks.delete_limit;
        first.is_some_and(|at| self.backend.now().saturating_sub(at) + limit >= MINUTE)
    }

    /// What must be true after every step.
    pub(super) fn check_jobs(&self) {
        let jobs = self.backend.jobs();
        let mut live = BTreeMap::new();
        for (number, job) in jobs.iter().enumerate() {
            if job.is_live() && !self.ledger.excused.contains(&number) {
                *live.entry(&job.owner).or_insert(0) += 1;
            }
            assert!(
                job.state != State::Deleted || self.ledger.deletable.contains(&number),
                "job {number} of {} was deleted, and somebody may ask about it\n{job:?}",
                job.owner
            );
        }
        for (owner, n) in live {
            assert!(n <= 1, "{n} live jobs of {owner}");
        }
        for (attempt, allowed) in &self.ledger.runs {
            let runs = numbers_of(&jobs, *attempt).len();
            assert!(
                attempt.kind != Kind::Call || runs <= *allowed,
                "{attempt:?} ran {runs} times, {allowed} at most"
            );
        }
    }

    /// The backend works again, and nobody asks any more.
    pub(super) fn check_end(&mut self) {
        self.backend.recover();
        self.process().pass(12 * MINUTE);
        self.ledger.judge(&self.backend);
        for (number, job) in self.backend.jobs().iter().enumerate() {
            let refused = job
                .deletes
                .iter()
                .any(|call| call.outcome == Outcome::Failed(ErrorClass::Permanent));
            assert!(
                !job.is_live()
                    || refused
                    || self.ledger.tried_long(job)
                    || !self.ledger.doomed.contains(&number),
                "job {number} of {} runs on, and nobody will ask about it\n{job:?}",
                job.owner
            );
        }
        let settings = &self.config.tasks;
        self.process().pass(settings.idle_timeout + settings.give_up_after + settings.retention);
        self.ledger.judge(&self.backend);
        self.check_jobs();
        let left = self.process().tasks.len();
        assert_eq!(left, 0, "tasks that never leave");
    }
}
