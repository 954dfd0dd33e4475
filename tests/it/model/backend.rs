//! A backend in memory with many jobs, each with a state and a past of its
//! own: what a connector was asked of it is all there to be read.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flightdeck::{
    connector::{ConnectorError, ErrorClass, IdempotencyKey, Phase},
    supervisor::Clock,
};

use super::moment::{Moment, since_start};

/// What is wrong with the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503.
    Transient,
    /// Connection refused.
    Unreached,
    /// 403.
    Denied,
    /// 404.
    Gone,
    /// 400.
    Permanent,
    /// The connector has a bug.
    Panics,
    /// It never answers.
    Hangs,
    /// It does what it is asked, and says so after this time only.
    Slow(Duration),
}

impl Fault {
    /// How a call fails that the fault does not keep from ending.
    pub fn error(self) -> ConnectorError {
        match self {
            Self::Unreached => ConnectorError::unreached("connection refused"),
            Self::Denied => ConnectorError::denied("403"),
            Self::Gone => ConnectorError::gone("404"),
            Self::Permanent => ConnectorError::permanent("400"),
            Self::Transient | Self::Panics | Self::Hangs | Self::Slow(_) => {
                ConnectorError::transient("503")
            }
        }
    }
}

/// What a connector does for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Create,
    Get,
    Delete,
    Do,
}

/// Where a job stands, in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Ended(Phase),
    Deleted,
    /// The backend has lost it.
    Lost,
}

/// What a call found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Found(Phase),
    Failed(ErrorClass),
    Panicked,
    TimedOut,
}

/// A call of the backend that is over; one that was dropped before its limit
/// is none.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub at: Moment,
    pub outcome: Outcome,
}

/// One job, or one run of a sync task.
#[derive(Clone)]
pub struct Job {
    /// The output prefix of the attempt that it is for.
    pub owner: String,
    pub key: IdempotencyKey,
    pub state: State,
    pub started: Moment,
    /// What polls found.
    pub polls: Vec<Call>,
    /// What deletes came to; `Found` is a confirmation.
    pub deletes: Vec<Call>,
}

impl Job {
    /// True while it costs somebody money.
    pub fn is_live(&self) -> bool {
        self.state == State::Running
    }

    /// When a delete was first confirmed: by an OK, or because it is gone.
    pub fn delete_confirmed(&self) -> Option<Moment> {
        let confirms = |call: &&Call| {
            matches!(call.outcome, Outcome::Found(_) | Outcome::Failed(ErrorClass::Gone))
        };
        self.deletes.iter().find(confirms).map(|call| call.at)
    }
}

impl fmt::Debug for Job {
    /// Its past, in few lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} since {:?}", self.state, self.started)?;
        for (what, calls) in [("polls", &self.polls), ("deletes", &self.deletes)] {
            for same in calls.chunk_by(|one, next| one.outcome == next.outcome) {
                let [first, .., last] = same else {
                    write!(f, "\n  {what}: {:?} at {:?}", same[0].outcome, same[0].at)?;
                    continue;
                };
                let outcome = first.outcome;
                write!(f, "\n  {what}: {outcome:?} from {:?} to {:?}", first.at, last.at)?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Inner {
    jobs: Vec<Job>,
    faults: HashMap<Operation, Fault>,
    /// Creates under way, by owner.
    creating: HashMap<String, usize>,
}

/// The backend, shared between connectors, faults and checks.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
}

impl Backend {
    /// A backend on which everything works, whose calls are dated by this
    /// clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::default(), clock }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // A check that failed has said so; the state is whole.
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn now(&self) -> Moment {
        since_start(self.clock.now())
    }

    /// Makes an operation fail, or work again.
    pub fn set_fault(&self, operation: Operation, fault: Option<Fault>) {
        self.with(|inner| match fault {
            Some(fault) => inner.faults.insert(operation, fault),
            None => inner.faults.remove(&operation),
        });
    }

    pub fn fault(&self, operation: Operation) -> Option<Fault> {
        self.with(|inner| inner.faults.get(&operation).copied())
    }

    /// Makes everything work again.
    pub fn recover(&self) {
        self.with(|inner| inner.faults.clear());
    }

    /// Starts a job: the one that the key has already, unless that was deleted.
    pub fn start(&self, owner: &str, key: IdempotencyKey) -> usize {
        let started = self.now();
        self.with(|inner| {
            let same = |job: &Job| job.key == key && job.state != State::Deleted;
            if let Some(number) = inner.jobs.iter().position(same) {
                return number;
            }
            inner.jobs.push(Job {
                owner: owner.to_owned(),
                key,
                state: State::Running,
                started,
                polls: Vec::new(),
                deletes: Vec::new(),
            });
            inner.jobs.len() - 1
        })
    }

    /// A new run of a sync task, whatever ran before.
    pub fn start_run(&self, owner: &str, key: IdempotencyKey) -> usize {
        let started = self.now();
        self.with(|inner| {
            inner.jobs.push(Job {
                owner: owner.to_owned(),
                key,
                state: State::Ended(Phase::Succeeded),
                started,
                polls: Vec::new(),
                deletes: Vec::new(),
            });
            inner.jobs.len() - 1
        })
    }

    /// A running job becomes something else.
    pub fn turn(&self, number: usize, state: State) {
        self.with(|inner| {
            if let Some(job) = inner.jobs.get_mut(number)
                && job.state == State::Running
            {
                job.state = state;
            }
        });
    }

    /// A job, as it is now. There is none with a number that was never given.
    pub fn job(&self, number: usize) -> Option<Job> {
        self.with(|inner| inner.jobs.get(number).cloned())
    }

    /// All jobs that there ever were for an attempt.
    pub fn jobs_of(&self, owner: &str) -> Vec<Job> {
        self.with(|inner| inner.jobs.iter().filter(|job| job.owner == owner).cloned().collect())
    }

    /// All jobs that there ever were, by their numbers.
    pub fn jobs(&self) -> Vec<Job> {
        self.with(|inner| inner.jobs.clone())
    }

    /// Notes what a call came to.
    pub fn note(&self, operation: Operation, number: usize, outcome: Outcome) {
        let call = Call { at: self.now(), outcome };
        self.with(|inner| {
            let Some(job) = inner.jobs.get_mut(number) else {
                return;
            };
            match operation {
                Operation::Delete => job.deletes.push(call),
                Operation::Create | Operation::Get | Operation::Do => job.polls.push(call),
            }
        });
    }

    /// Counts a create as under way until the guard is dropped.
    pub fn creating(&self, owner: &str) -> Creating {
        self.with(|inner| *inner.creating.entry(owner.to_owned()).or_default() += 1);
        Creating { backend: self.clone(), owner: owner.to_owned() }
    }

    /// True while a create for this attempt is under way.
    pub fn is_creating(&self, owner: &str) -> bool {
        self.with(|inner| inner.creating.get(owner).is_some_and(|n| *n > 0))
    }
}

/// A create under way.
pub struct Creating {
    backend: Backend,
    owner: String,
}

impl Drop for Creating {
    fn drop(&mut self) {
        self.backend.with(|inner| {
            if let Some(n) = inner.creating.get_mut(&self.owner) {
                *n -= 1;
            }
        });
    }
}
