//! What callers have been promised, by what they did and were told.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{ErrorClass, Phase},
};

use super::{
    attempt::{Attempt, Kind},
    backend::{Backend, Call, Job, Outcome},
    connector::job_number,
    moment::Moment,
    polls::{Expected, expected, expected_of_run},
};

/// How much earlier than promised something is not yet held against anybody.
const MARGIN: Moment = Moment::from_secs(2);

/// A wish to have a job deleted.
#[derive(Debug, Clone, Copy)]
pub struct Intent {
    pub since: Moment,
}

/// A task whose handle a caller has.
#[derive(Debug, Clone)]
pub struct Task {
    pub attempt: Attempt,
    pub handle: Bytes,
    /// The job, or the run, in the backend.
    pub job: Option<usize>,
    /// The process that has it.
    pub process: u32,
    /// Since when its present actor counts, and from which poll.
    pub began: Moment,
    pub polls_from: usize,
    pub adopted: bool,
    /// False once it cannot be known when the actor began.
    pub sure: bool,
    /// The last question, and the last call of any kind.
    pub asked: Moment,
    pub touched: Moment,
    pub ever_asked: bool,
    /// When a caller was first told a terminal phase.
    pub told: Option<Moment>,
    pub intent: Option<Intent>,
    /// Its caller lost the handle, as one does that repeats a Create.
    pub forsaken: bool,
}

/// Whether the process still holds a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    Surely,
    Perhaps,
    Left,
}

/// All that callers can hold the service to.
pub struct Ledger {
    pub process: u32,
    pub process_began: Moment,
    pub tasks: BTreeMap<Attempt, Task>,
    /// Attempts whose last Create was left by its callers, since when.
    pub abandoned: BTreeMap<Attempt, Moment>,
    /// Jobs whose handle was ever handed out.
    pub handed: BTreeSet<usize>,
    /// Jobs that may have been deleted for a good reason.
    pub deletable: BTreeSet<usize>,
    /// Jobs that must be deleted before long.
    pub doomed: BTreeSet<usize>,
    /// Jobs about which nothing can be promised without a journal.
    pub excused: BTreeSet<usize>,
    /// How often each task may have been started.
    pub runs: BTreeMap<Attempt, usize>,
    /// Attempts that were started after a higher one of their node.
    pub late: BTreeSet<Attempt>,
    config: Config,
}

impl Ledger {
    pub fn new(config: Config) -> Self {
        Self {
            process: 0,
            process_began: Moment::ZERO,
            tasks: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            handed: BTreeSet::new(),
            deletable: BTreeSet::new(),
            doomed: BTreeSet::new(),
            excused: BTreeSet::new(),
            runs: BTreeMap::new(),
            late: BTreeSet::new(),
            config,
        }
    }

    /// Whether the process holds the task now.
    pub fn stay(&self, task: &Task, backend: &Backend) -> Stay {
        let settings = &self.config.tasks;
        let now = backend.now();
        if task.process != self.process {
            return Stay::Left;
        }
        let ended = [task.told, self.confirmed(task, backend)].into_iter().flatten().min();
        let retained = ended.is_none_or(|at| now + MARGIN < at + settings.retention);
        if retained && now + MARGIN < task.asked + settings.idle_timeout {
            return Stay::Surely;
        }
        let longest = settings.idle_timeout + settings.give_up_after + 2 * settings.retention;
        if now > task.touched + longest { Stay::Left } else { Stay::Perhaps }
    }

    /// The task of an attempt, if its caller has the handle.
    pub fn held(&self, attempt: Attempt) -> Option<&Task> {
        self.tasks.get(&attempt).filter(|task| !task.forsaken)
    }

    /// When the backend confirmed a delete that this process may know of.
    fn confirmed(&self, task: &Task, backend: &Backend) -> Option<Moment> {
        match task.attempt.kind {
            Kind::Job => job(task, backend)?.delete_confirmed(),
            Kind::Call | Kind::Execute => task.intent.map(|intent| intent.since),
        }
    }

    /// True if a new Create under the same key starts a new job: a delete was
    /// confirmed that was not of our own deciding.
    pub fn is_released(&self, task: &Task, backend: &Backend) -> bool {
        self.confirmed(task, backend).is_some() && !self.expected(task, backend).decided
    }

    /// What a Get of the task may answer.
    pub fn expected(&self, task: &Task, backend: &Backend) -> Expected {
        match task.attempt.kind {
            Kind::Job => {
                let Some(job) = job(task, backend) else {
                    return expected(task.began, Phase::Initializing, &[]);
                };
                // What is looked up after a confirmed delete decides nothing.
                let until = job.delete_confirmed().unwrap_or(Moment::MAX);
                let polls: Vec<Call> =
                    job.polls.into_iter().filter(|poll| poll.at <= until).collect();
                let initial = if task.adopted { Phase::Running } else { Phase::Initializing };
                expected(task.began, initial, polls.get(task.polls_from..).unwrap_or_default())
            }
            Kind::Call | Kind::Execute if task.adopted => {
                Expected { phase: Phase::RetryableFailed, decided: true, or_given_up: false }
            }
            Kind::Call | Kind::Execute => {
                let runs = backend.jobs_of(&task.attempt.prefix());
                let run = runs.iter().rfind(|run| run.started >= task.began);
                expected_of_run(run.and_then(|run| run.polls.first()))
            }
        }
    }

    /// Notes that a caller asks about its task: one that the process has left,
    /// or never knew, is adopted now.
    pub fn touch(&mut self, attempt: Attempt, asks: bool, backend: &Backend) {
        let Some(task) = self.held(attempt) else {
            return;
        };
        let stay = self.stay(task, backend);
        let confirmed = self.confirmed(task, backend).is_some();
        let polls = job(task, backend).map_or(0, |job| job.polls.len());
        let (now, process) = (backend.now(), self.process);
        let Some(task) = self.tasks.get_mut(&attempt) else {
            return;
        };
        task.touched = now;
        match stay {
            Stay::Surely => {}
            Stay::Perhaps => {
                task.sure = false;
                if confirmed {
                    task.intent = None;
                }
            }
            Stay::Left => {
                *task = Task {
                    process,
                    began: now,
                    polls_from: polls,
                    adopted: true,
                    sure: true,
                    asked: now,
                    told: None,
                    intent: None,
                    ..task.clone()
                };
            }
        }
        if asks {
            task.asked = now;
            task.ever_asked = true;
            // Who asks may yet be in time for its job.
            if let Some(number) = task.job {
                self.doomed.remove(&number);
            }
            self.abandoned.remove(&attempt);
        }
    }

    /// Notes that a Create may start the task, perhaps again.
    pub fn start(&mut self, attempt: Attempt) {
        *self.runs.entry(attempt).or_default() += 1;
        if let Some(task) = self.tasks.get_mut(&attempt) {
            task.forsaken = true;
        }
        if self.runs.keys().any(|other| other.supersedes(attempt)) {
            self.late.insert(attempt);
        }
    }

    /// Notes a handle that is new to its caller. `jobs` are those that there
    /// were before its Create.
    pub fn add(&mut self, attempt: Attempt, handle: Bytes, backend: &Backend, jobs: &[Job]) {
        let number = job_number(&handle);
        let job = number.and_then(|number| backend.job(number));
        let now = backend.now();
        let before = self.tasks.get(&attempt);
        // A job of an earlier actor may come back under the same key.
        let fresh = job.as_ref().is_none_or(|job| job.started >= self.process_began)
            && number.is_none_or(|number| self.handed.insert(number));
        let polled = number.and_then(|number| jobs.get(number)).map_or(0, |job| job.polls.len());
        let task = Task {
            attempt,
            handle,
            job: number,
            process: self.process,
            began: job.filter(|_| fresh).map_or(now, |job| job.started),
            polls_from: if fresh { 0 } else { polled },
            adopted: false,
            sure: before.is_none_or(|before| self.stay(before, backend) != Stay::Perhaps),
            asked: now,
            touched: now,
            ever_asked: false,
            told: None,
            intent: None,
            forsaken: false,
        };
        self.tasks.insert(attempt, task);
    }

    /// Brings up to date which jobs may, and which must, be deleted.
    pub fn judge(&mut self, backend: &Backend) {
        let now = backend.now();
        let jobs = backend.jobs();
        for (number, job) in jobs.iter().enumerate() {
            let begun = expected(job.started, Phase::Initializing, &job.polls);
            if begun.decided || begun.or_given_up {
                self.deletable.insert(number);
            }
        }
        for (attempt, since) in &self.abandoned {
            let orphaned = now >= *since + self.config.tasks.orphan_after;
            for number in numbers_of(&jobs, *attempt) {
                if orphaned {
                    self.deletable.insert(number);
                }
                // One that somebody had a handle of may be in nobody's hands.
                if orphaned && !self.handed.contains(&number) && !self.excused.contains(&number) {
                    self.doomed.insert(number);
                }
            }
        }
        for task in self.tasks.values() {
            let Some(number) = task.job else { continue };
            let state = self.expected(task, backend);
            if !task.sure || state.decided || state.or_given_up || task.intent.is_some() {
                self.deletable.insert(number);
            }
            let given_up = self.gave_up(task, backend);
            let wanted = task.intent.is_some() || (task.sure && state.decided);
            if wanted && !given_up && task.process == self.process {
                self.doomed.insert(number);
            } else if given_up {
                self.doomed.remove(&number);
            }
        }
    }

    /// A higher attempt of the node has come: the lower ones that nobody asked
    /// about go.
    pub fn supersede(&mut self, attempt: Attempt, backend: &Backend) {
        let jobs = backend.jobs();
        let owners: BTreeSet<Attempt> = self
            .tasks
            .keys()
            .filter(|lower| self.held(**lower).is_some())
            .chain(self.abandoned.keys())
            .copied()
            .collect();
        for lower in owners.into_iter().filter(|lower| attempt.supersedes(*lower)) {
            let task = self.held(lower);
            if task.is_some_and(|task| task.ever_asked) {
                continue;
            }
            let known = task.is_none_or(|task| self.stay(task, backend) == Stay::Surely);
            let of_task = task.and_then(|task| task.job);
            for number in numbers_of(&jobs, lower) {
                self.deletable.insert(number);
                let is_it = of_task == Some(number) || !self.handed.contains(&number);
                if known && !self.late.contains(&lower) && is_it && !self.excused.contains(&number)
                {
                    self.doomed.insert(number);
                }
            }
            // A run that is under way is aborted, and nothing else tells.
            if let Some(task) = self.tasks.get_mut(&lower).filter(|_| lower.kind == Kind::Call) {
                task.sure = false;
            }
        }
    }

    /// True if the backend refused the delete for good, or for too long.
    pub fn gave_up(&self, task: &Task, backend: &Backend) -> bool {
        let deletes = job(task, backend).map(|job| job.deletes).unwrap_or_default();
        let failed: Vec<&Call> =
            deletes.iter().filter(|call| !matches!(call.outcome, Outcome::Found(_))).collect();
        let since = task.intent.map_or(task.began, |intent| intent.since);
        let refused = failed
            .iter()
            .any(|call| call.at >= since && call.outcome == Outcome::Failed(ErrorClass::Permanent));
        let long = job(task, backend).is_some_and(|job| self.tried_long(&job));
        (refused && !self.expected(task, backend).decided) || long
    }
}

impl Ledger {
    /// True if the backend did not delete the job for so long that nobody tries
    /// any more.
    pub fn tried_long(&self, job: &Job) -> bool {
        let failed = job.deletes.iter().filter(|call| !matches!(call.outcome, Outcome::Found(_)));
        let mut times = failed.map(|call| call.at);
        let first = times.next();
        first.zip(times.next_back()).is_some_and(|(first, last)| {
            last + 2 * self.config.polling.max_backoff >= first + self.config.tasks.give_up_after
        })
    }
}

/// The job of a task, as the backend has it.
pub fn job(task: &Task, backend: &Backend) -> Option<Job> {
    backend.job(task.job?)
}

/// The numbers of all jobs of an attempt.
pub fn numbers_of(jobs: &[Job], attempt: Attempt) -> Vec<usize> {
    let owner = attempt.prefix();
    let of = |(number, job): (usize, &Job)| (job.owner == owner).then_some(number);
    jobs.iter().enumerate().filter_map(of).collect()
}
