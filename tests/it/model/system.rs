//! The supervisor under the model's callers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use flightdeck::{config::Config, connector::Phase};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use tokio::time::{Instant, error::Elapsed, timeout};
use tonic::Code;

use super::{
    attempt::{Attempt, Kind},
    backend::{Backend, Job, Operation, Outcome, State},
    ledger::{Intent, Ledger, Stay, job, numbers_of},
    moment::{CaseClock, Moment},
    process::Process,
    transition::{Callers, Past, Transition},
};
use crate::common::requests::query;

const SECOND: Duration = Duration::from_secs(1);

/// Timers of tokio are precise to a millisecond.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// The service, its backend, and what it owes its callers.
pub struct System {
    process: Option<Process>,
    pub(super) backend: Backend,
    clock: Arc<CaseClock>,
    pub(super) config: Config,
    seed: u64,
    pub(super) ledger: Ledger,
}

impl StateMachineTest for System {
    type SystemUnderTest = Self;
    type Reference = Callers;

    fn init_test(past: &Past) -> Self {
        let config = Config::default();
        let clock = Arc::new(CaseClock::default());
        let backend = Backend::new(clock.clone());
        let process = Process::start(&config, &backend, &clock, past.seed);
        Self {
            process: Some(process),
            backend,
            clock,
            ledger: Ledger::new(config.clone()),
            config,
            seed: past.seed,
        }
    }

    fn apply(
        mut self_: Self,
        _past: &Past,
        transition: <Callers as ReferenceStateMachine>::Transition,
    ) -> Self {
        self_.take(transition);
        self_.settle();
        self_.ledger.judge(&self_.backend);
        self_.check_jobs();
        self_
    }

    fn teardown(mut self_: Self, _past: Past) {
        self_.check_end();
    }
}

impl System {
    fn take(&mut self, transition: Transition) {
        let backend = self.backend.clone();
        match transition {
            Transition::Create { attempt, callers, patience } => match attempt.kind {
                Kind::Execute => self.execute(attempt, callers, patience),
                Kind::Job | Kind::Call => self.create(attempt, callers, patience),
            },
            Transition::Get { attempt, patience } => self.get(attempt, patience),
            Transition::Delete { attempt, patience } => self.delete(attempt, patience),
            Transition::Fails { operation, fault } => backend.set_fault(operation, Some(fault)),
            Transition::Recovers => backend.recover(),
            Transition::Finishes { attempt, succeeded } => {
                let phase = if succeeded { Phase::Succeeded } else { Phase::Failed };
                self.turn(attempt, State::Ended(phase));
            }
            Transition::Loses { attempt } => self.turn(attempt, State::Lost),
            Transition::Passes(time) => self.process().pass(time),
            Transition::Restarts => self.restart(),
        }
    }

    pub(super) fn process(&self) -> &Process {
        self.process.as_ref().expect("it is None only while it restarts")
    }

    fn restart(&mut self) {
        self.ledger.judge(&self.backend);
        // Killed before the next one starts.
        self.process = None;
        self.ledger.forget(&self.backend);
        self.seed = self.seed.wrapping_add(1);
        let process = Process::start(&self.config, &self.backend, &self.clock, self.seed);
        self.process = Some(process);
    }

    /// Lets actors do what they have to do at this moment.
    fn settle(&self) {
        self.process().pass(TICK);
    }

    fn turn(&self, attempt: Attempt, state: State) {
        if attempt.kind == Kind::Job {
            for number in numbers_of(&self.backend.jobs(), attempt) {
                self.backend.turn(number, state);
            }
        }
    }

    fn create(&mut self, attempt: Attempt, callers: u8, patience: Duration) {
        let task = self.ledger.tasks.get(&attempt).cloned();
        let held =
            task.filter(|task| task.sure && self.ledger.stay(task, &self.backend) == Stay::Surely);
        if held.is_none() {
            self.ledger.forget_key(attempt, &self.backend);
        }
        let held = held.filter(|task| !self.ledger.is_released(task, &self.backend));
        if held.is_none() {
            self.ledger.start(attempt);
        }
        let jobs = self.backend.jobs();
        let was_creating = self.backend.is_creating(&attempt.prefix());
        let released = self.released_keys(attempt);
        self.ledger.supersede(attempt, &self.backend);

        let tasks = &self.process().tasks;
        let call = async || timeout(patience, tasks.create(attempt.create())).await;
        let both = self.process().run(async {
            let (one, two) = tokio::join!(call(), async {
                match callers {
                    1 => None,
                    _ => Some(call().await),
                }
            });
            [Some(one), two]
        });
        for reply in both.into_iter().flatten() {
            match reply {
                Err(Elapsed { .. }) => {
                    let now = self.backend.now();
                    self.ledger.abandoned.insert(attempt, now);
                }
                Ok(Err(error)) => {
                    let failing = self.backend.fault(Operation::Create).is_some();
                    assert!(
                        attempt.kind == Kind::Job && (failing || was_creating),
                        "{attempt:?}: Create failed on a working backend: {error}"
                    );
                    assert!(held.is_none(), "{attempt:?}: its repeated Create failed: {error}");
                    self.ledger.abandoned.remove(&attempt);
                }
                Ok(Ok(handle)) => {
                    self.created(attempt, handle, held.as_ref().map(|task| &task.handle), &jobs);
                }
            }
        }
        for key in self.released_keys(attempt).iter().skip(released.len()) {
            assert!(
                !released.contains(key),
                "{attempt:?}: a job has the idempotency key of a deleted one"
            );
        }
    }

    /// The keys of the jobs of an attempt, in this process's time.
    fn released_keys(&self, attempt: Attempt) -> Vec<String> {
        let jobs = self.backend.jobs_of(&attempt.prefix());
        let recent = self.backend.now().saturating_sub(self.config.tasks.retention);
        let since = recent.max(self.ledger.process_began);
        let jobs = jobs.iter().filter(|job| job.started >= since);
        jobs.map(|job| job.key.to_string()).collect()
    }

    fn created(&mut self, attempt: Attempt, handle: Bytes, held: Option<&Bytes>, jobs: &[Job]) {
        if let Some(before) = held {
            assert_eq!(*before, handle, "{attempt:?}: a repeated Create got another handle");
        }
        self.ledger.abandoned.remove(&attempt);
        match self.ledger.tasks.get_mut(&attempt) {
            Some(task) if task.handle == handle => {
                task.forsaken = false;
                self.ledger.touch(attempt, false, &self.backend);
            }
            _ => self.ledger.add(attempt, handle, &self.backend, jobs),
        }
    }

    fn execute(&mut self, attempt: Attempt, callers: u8, patience: Duration) {
        let owner = attempt.prefix();
        let before = self.backend.jobs_of(&owner).len();
        let kept = self.keeps_result(attempt);
        let tasks = &self.process().tasks;
        let call = async || timeout(patience, tasks.execute(attempt.header(), None)).await;
        let replies = self.process().run(async {
            let (one, two) = tokio::join!(call(), async {
                match callers {
                    1 => None,
                    _ => Some(call().await),
                }
            });
            [Some(one), two]
        });
        let runs = self.backend.jobs_of(&owner);
        let allowed = if kept { before } else { before + 1 };
        assert!(runs.len() <= allowed, "{attempt:?}: its sync task ran again");
        let outcome = runs.last().and_then(|run| run.polls.first()).map(|call| call.outcome);
        for reply in replies.into_iter().flatten().flatten() {
            let as_run = match (&reply, outcome) {
                (Ok(resource), Some(Outcome::Found(phase))) => resource.phase() == phase,
                (Ok(resource), Some(Outcome::TimedOut)) => {
                    resource.phase() == Phase::RetryableFailed
                }
                (Err(error), Some(Outcome::Failed(_) | Outcome::Panicked)) => {
                    error.code() == Code::Internal
                }
                _ => false,
            };
            assert!(as_run, "{attempt:?}: its run came to {outcome:?}, its reply was {reply:?}");
        }
    }

    /// True while a repeated ExecuteTaskSync joins the run that there was, or
    /// gets its result.
    fn keeps_result(&self, attempt: Attempt) -> bool {
        let runs = self.backend.jobs_of(&attempt.prefix());
        let Some(run) = runs.last().filter(|run| run.started >= self.ledger.process_began) else {
            return false;
        };
        match run.polls.first() {
            None => true,
            Some(call) => {
                let kept = matches!(call.outcome, Outcome::Found(_) | Outcome::TimedOut);
                kept && self.backend.now() + SECOND < call.at + self.config.tasks.retention
            }
        }
    }

    fn get(&mut self, attempt: Attempt, patience: Duration) {
        self.ledger.touch(attempt, true, &self.backend);
        let Some(task) = self.ledger.held(attempt).cloned() else {
            return;
        };
        let before = self.ledger.expected(&task, &self.backend);
        let tombstone = self.ledger.is_released(&task, &self.backend);
        let tasks = &self.process().tasks;
        let (took, reply) = self.process().run(async {
            let began = Instant::now();
            let get = tasks.get(query(attempt.task_type(), &task.handle));
            let reply = timeout(patience, get).await;
            (began.elapsed(), reply)
        });
        assert!(took <= self.config.tasks.get_wait + TICK, "{attempt:?}: a Get took {took:?}");
        let Ok(reply) = reply else {
            return;
        };
        let phase = match reply {
            Ok(resource) => resource.phase(),
            Err(error) => panic!("{attempt:?}: a Get failed: {error}"),
        };
        let after = self.ledger.expected(&task, &self.backend);
        if task.sure && !tombstone && !self.ledger.is_released(&task, &self.backend) {
            let given_up = phase == Phase::RetryableFailed && after.or_given_up;
            assert!(
                phase == before.phase || phase == after.phase || given_up,
                "{attempt:?}: a Get answered {phase:?}, by its polls it is {after:?}\n{:?}",
                job(&task, &self.backend)
            );
            self.check_polling(&task.attempt, phase);
        }
        if phase.is_terminal() {
            let now = self.backend.now();
            if let Some(task) = self.ledger.tasks.get_mut(&attempt) {
                task.told.get_or_insert(now);
            }
        }
    }

    fn delete(&mut self, attempt: Attempt, patience: Duration) {
        self.ledger.touch(attempt, true, &self.backend);
        let Some(task) = self.ledger.held(attempt).cloned() else {
            return;
        };
        let before = self.ledger.expected(&task, &self.backend);
        let ended = before.phase.is_terminal() && !before.decided && !before.or_given_up;
        let calls = job(&task, &self.backend).map_or(0, |job| job.deletes.len());
        let since = self.want_delete(attempt, task.sure && ended);
        let tasks = &self.process().tasks;
        let (took, reply) = self.process().run(async {
            let began = Instant::now();
            let delete = tasks.delete(query(attempt.task_type(), &task.handle));
            let reply = timeout(patience, delete).await;
            (began.elapsed(), reply)
        });
        let limit = self.config.tasks.delete_wait + TICK;
        assert!(took <= limit, "{attempt:?}: a Delete took {took:?}");
        let Ok(reply) = reply else {
            return;
        };
        if attempt.kind == Kind::Job {
            self.check_delete(attempt, since, reply);
        } else if let Err(error) = reply {
            panic!("{attempt:?}: the Delete of a sync task failed: {error}");
        }
        if task.sure && ended {
            let now = job(&task, &self.backend).map_or(0, |job| job.deletes.len());
            assert_eq!(calls, now, "{attempt:?}: a finished job was deleted");
        }
    }

    /// Notes the wish, and since when there is one.
    fn want_delete(&mut self, attempt: Attempt, ended: bool) -> Option<Moment> {
        let now = self.backend.now();
        let task = self.ledger.tasks.get(&attempt)?;
        let gave_up = self.ledger.gave_up(task, &self.backend);
        if ended {
            return None;
        }
        let task = self.ledger.tasks.get_mut(&attempt)?;
        if task.intent.is_none() || gave_up {
            task.intent = Some(Intent { since: now });
        }
        task.intent.map(|intent| intent.since)
    }
}
