//! What a SIGKILL takes with it, until there is a journal: the one place that
//! excuses the service from its promises.

use super::{
    attempt::{Attempt, Kind},
    backend::{Backend, State},
    ledger::{Ledger, numbers_of},
};

impl Ledger {
    /// The process is killed. What lived in its memory alone is forgotten:
    ///
    /// - deletes under way, whoever wanted them;
    /// - creates under way, and how long their callers have been gone;
    /// - which attempts nobody has asked about yet;
    /// - that a key was released, so that its next job has another
    ///   `idempotency_key`;
    /// - results of sync tasks: those in a handle end as RETRYABLE_FAILED,
    ///   a repeated Create or ExecuteTaskSync runs again.
    pub fn forget(&mut self, backend: &Backend) {
        let jobs = backend.jobs();
        self.excused.extend(self.doomed.iter().copied());
        self.doomed.clear();
        for task in self.tasks.values_mut() {
            task.intent = None;
        }
        for attempt in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.forget_key(attempt, backend);
        }
        for attempt in std::mem::take(&mut self.abandoned).into_keys() {
            self.excused.extend(numbers_of(&jobs, attempt));
        }
        for (attempt, runs) in &mut self.runs {
            if attempt.kind != Kind::Job {
                *runs = numbers_of(&jobs, *attempt).len();
            }
        }
        self.process += 1;
        self.process_began = backend.now();
    }
    /// The task has left its process, perhaps, and with it the knowledge that
    /// its key was released once: its next job has the `idempotency_key` of the
    /// first one again.
    pub fn forget_key(&mut self, attempt: Attempt, backend: &Backend) {
        let jobs = backend.jobs();
        let numbers = numbers_of(&jobs, attempt);
        if numbers.iter().any(|number| jobs[*number].state == State::Deleted) {
            self.excused.extend(numbers);
        }
    }
}
