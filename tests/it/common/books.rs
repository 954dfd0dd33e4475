//! The books of a backend: which jobs there are and what was asked about them;
//! and the faults that it can be made to have.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection: nothing arrives.
    Refused,
    /// 503.
    Unavailable,
    /// No answer, and nothing is done.
    Hangs,
    /// It is done, and answered after this time.
    Slow(Duration),
    /// It is done, and the answer is lost.
    Cut,
    /// 401.
    Denied,
    /// 404 for every job that is asked about, though it is there: the backend
    /// lags. The rest works.
    Lags,
}

/// How a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Succeeded,
    Deleted,
}

/// A job, and how often it was asked about.
#[derive(Debug, Clone)]
pub struct Job {
    pub creates: usize,
    pub gets: usize,
    pub deletes: usize,
    ends: Option<Instant>,
    state: State,
}

impl Job {
    pub fn state(&self) -> State {
        match (self.state, self.ends) {
            (State::Running, Some(ends)) if ends <= Instant::now() => State::Succeeded,
            (state, _) => state,
        }
    }
}

/// All jobs, by their ids in the order of their creation, and the fault that
/// the backend has now. Clones share them.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    jobs: Vec<Job>,
    by_key: HashMap<String, usize>,
    fault: Option<Fault>,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().expect("nobody panics with the books open")
    }

    /// Makes the backend have a fault, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.pages().fault = fault;
    }

    pub fn fault(&self) -> Option<Fault> {
        self.pages().fault
    }

    /// The job of this idempotency key; a new one ends by itself after this
    /// time, if one is given.
    pub fn create(&self, key: &str, runs_for: Option<Duration>) -> usize {
        let mut pages = self.pages();
        let new = pages.jobs.len();
        let id = *pages.by_key.entry(key.to_owned()).or_insert(new);
        if id == new {
            pages.jobs.push(Job {
                creates: 0,
                gets: 0,
                deletes: 0,
                ends: runs_for.map(|time| Instant::now() + time),
                state: State::Running,
            });
        }
        pages.jobs[id].creates += 1;
        id
    }

    pub fn get(&self, id: usize) -> Option<State> {
        let mut pages = self.pages();
        let job = pages.jobs.get_mut(id)?;
        job.gets += 1;
        Some(job.state())
    }

    /// False for a job that there never was.
    pub fn delete(&self, id: usize) -> bool {
        let mut pages = self.pages();
        let Some(job) = pages.jobs.get_mut(id) else {
            return false;
        };
        job.deletes += 1;
        if job.state() == State::Running {
            job.state = State::Deleted;
        }
        true
    }

    /// Ends every job that runs.
    pub fn finish(&self) {
        for job in &mut self.pages().jobs {
            if job.state() == State::Running {
                job.state = State::Succeeded;
            }
        }
    }

    /// Every job, as it is now.
    pub fn jobs(&self) -> Vec<Job> {
        self.pages().jobs.clone()
    }

    /// The ids of the jobs that run.
    pub fn running(&self) -> Vec<usize> {
        let pages = self.pages();
        let running = |id: &usize| pages.jobs[*id].state() == State::Running;
        (0..pages.jobs.len()).filter(running).collect()
    }
}
