//! Propeller as its connector services meet it: when it asks, how long it
//! waits, and what an error costs a task or a workflow.

use std::{
    collections::HashSet,
    fmt::Display,
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use flightdeck::{
    connector::Phase,
    wire::flyteidl::admin::{CreateTaskRequest, Resource},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::requests;

/// What propeller asks for tasks of one type.
pub trait Service: Clone + Send + Sync + 'static {
    fn create(
        &self,
        request: CreateTaskRequest,
    ) -> impl Future<Output = Result<Bytes, String>> + Send;
    fn get(&self, handle: &Bytes) -> impl Future<Output = Result<Resource, String>> + Send;
    fn delete(&self, handle: &Bytes) -> impl Future<Output = Result<(), String>> + Send;
}

/// Propeller's numbers.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of every call.
    pub deadline: Duration,
    /// Between the Gets of a task.
    pub cadence: Duration,
    /// Between a failed round of a workflow and the next.
    pub round: Duration,
    /// Failed Gets that a task survives, over its whole life.
    pub failed_gets: usize,
    /// Failed rounds that a workflow survives.
    pub failed_rounds: usize,
    /// Attempts of a node.
    pub attempts: u32,
}

impl Rules {
    pub const REAL: Self = Self {
        deadline: Duration::from_secs(10),
        cadence: Duration::from_secs(30),
        round: Duration::from_secs(10),
        failed_gets: 6,
        failed_rounds: 10,
        attempts: 5,
    };
}

/// What a user asks of a workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub name: String,
    pub nodes: usize,
    pub task_type: &'static str,
    /// When the user aborts it.
    pub abort_after: Option<Duration>,
}

/// What became of a workflow.
#[derive(Debug, Default)]
pub struct Report {
    pub succeeded: usize,
    /// Nodes of which no Create succeeded: the faults came before a task.
    pub not_created: usize,
    pub aborted: usize,
    /// What the user has lost to faults: tasks and workflows, with the reason.
    pub lost: Vec<String>,
    pub failed_rounds: usize,
}

impl Report {
    /// Counts another workflow in.
    pub fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.not_created += other.not_created;
        self.aborted += other.aborted;
        self.lost.extend(other.lost);
        self.failed_rounds += other.failed_rounds;
    }
}

/// What became of a node, or of one attempt of it.
enum End {
    Succeeded,
    NotCreated,
    /// The attempt ended and another may follow.
    Retry(Bytes, String),
    Lost(String),
    /// The workflow was aborted while this task ran.
    Aborted(Bytes),
}

/// One propeller. Clones share it.
#[derive(Clone)]
pub struct Propeller<S> {
    service: S,
    rules: Rules,
    /// The handles that somebody will ask about again.
    held: Arc<Mutex<HashSet<Bytes>>>,
}

impl<S: Service> Propeller<S> {
    pub fn new(service: S, rules: Rules) -> Self {
        Self { service, rules, held: Arc::default() }
    }

    /// The handles of the tasks that it will ask about again.
    pub fn held(&self) -> HashSet<Bytes> {
        self.hold().clone()
    }

    fn hold(&self) -> MutexGuard<'_, HashSet<Bytes>> {
        self.held.lock().expect("nobody panics while it looks")
    }

    /// Runs a workflow to its end.
    pub async fn run(self, workflow: Workflow) -> Report {
        let (abort, aborted) = watch::channel(false);
        let mut nodes = JoinSet::new();
        let rounds = Arc::new(Mutex::new(0));
        for node in 0..workflow.nodes {
            let (propeller, workflow) = (self.clone(), workflow.clone());
            let (rounds, aborted) = (rounds.clone(), aborted.clone());
            nodes.spawn(async move { propeller.node(&workflow, node, &rounds, aborted).await });
        }
        if let Some(after) = workflow.abort_after {
            let abort = abort.clone();
            tokio::spawn(async move {
                sleep(after).await;
                abort.send_replace(true);
            });
        }
        let mut report = Report::default();
        let mut left = Vec::new();
        while let Some(end) = nodes.join_next().await {
            match end.expect("a node does not panic") {
                End::Succeeded => report.succeeded += 1,
                End::NotCreated => {
                    report.not_created += 1;
                    abort.send_replace(true);
                }
                End::Lost(reason) | End::Retry(_, reason) => {
                    report.lost.push(format!("{}: {reason}", workflow.name));
                    abort.send_replace(true);
                }
                End::Aborted(handle) => {
                    report.aborted += 1;
                    left.push(handle);
                }
            }
        }
        self.delete_all(left, &rounds, &mut report, &workflow.name).await;
        report
    }

    /// Deletes what an aborted workflow leaves: each round tries all of it.
    async fn delete_all(
        &self,
        mut left: Vec<Bytes>,
        rounds: &Mutex<usize>,
        report: &mut Report,
        name: &str,
    ) {
        loop {
            let mut failed = Vec::new();
            let mut reason = String::new();
            for handle in left {
                match self.call(self.service.delete(&handle)).await {
                    Ok(()) => self.let_go(&handle),
                    Err(error) => {
                        reason = error;
                        failed.push(handle);
                    }
                }
            }
            left = failed;
            if !left.is_empty() && self.fail_round(rounds) {
                report.lost.push(format!("{name}: too many failed rounds, the last: {reason}"));
                left.drain(..).for_each(|handle| self.let_go(&handle));
            }
            report.failed_rounds = *rounds.lock().expect("a count");
            if left.is_empty() {
                return;
            }
            sleep(self.rules.round).await;
        }
    }

    async fn node(
        &self,
        workflow: &Workflow,
        node: usize,
        rounds: &Mutex<usize>,
        aborted: watch::Receiver<bool>,
    ) -> End {
        let mut last = End::NotCreated;
        for attempt in 0..self.rules.attempts {
            if *aborted.borrow() {
                break;
            }
            if let End::Retry(handle, reason) = last {
                // Its job is deleted before the next attempt begins.
                let mut failing = Report::default();
                let name = format!("before a retry, because {reason}");
                self.delete_all(vec![handle], rounds, &mut failing, &name).await;
                if let Some(lost) = failing.lost.pop() {
                    return End::Lost(lost);
                }
            }
            last = self.attempt(workflow, node, attempt, aborted.clone()).await;
            if !matches!(last, End::NotCreated | End::Retry(..)) {
                break;
            }
        }
        last
    }

    async fn attempt(
        &self,
        workflow: &Workflow,
        node: usize,
        attempt: u32,
        aborted: watch::Receiver<bool>,
    ) -> End {
        let prefix = format!("s3://flyte/{}/n{node}/{attempt}", workflow.name);
        let create = || requests::create(workflow.task_type, &prefix, attempt);
        let mut handle = self.call(self.service.create(create())).await;
        if node.is_multiple_of(2) && handle.is_ok() {
            // It could not persist what it was told, and asks again.
            handle = self.call(self.service.create(create())).await;
        }
        let Ok(handle) = handle else {
            return End::NotCreated;
        };
        self.hold().insert(handle.clone());
        let end = self.follow(&handle, aborted).await;
        if matches!(end, End::Succeeded | End::Lost(_)) {
            self.let_go(&handle);
        }
        end
    }

    /// Asks about a task until its end.
    async fn follow(&self, handle: &Bytes, mut aborted: watch::Receiver<bool>) -> End {
        let mut failed = 0;
        loop {
            match self.call(self.service.get(handle)).await {
                Ok(resource) => match resource.phase() {
                    Phase::Succeeded => return End::Succeeded,
                    Phase::Failed | Phase::Aborted => return End::Lost(told(&resource)),
                    Phase::RetryableFailed => return End::Retry(handle.clone(), told(&resource)),
                    Phase::Undefined => return End::Lost("no phase".to_owned()),
                    _ => {}
                },
                Err(error) => {
                    failed += 1;
                    if failed > self.rules.failed_gets {
                        return End::Lost(format!("{failed} Gets failed, the last: {error}"));
                    }
                }
            }
            tokio::select! {
                () = sleep(self.rules.cadence) => {}
                _ = aborted.wait_for(|aborted| *aborted) => {
                    return End::Aborted(handle.clone());
                }
            }
        }
    }

    /// A call within its deadline.
    async fn call<T>(&self, call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let answered = timeout(self.rules.deadline, call).await;
        answered.unwrap_or_else(|_| Err("the deadline has passed".to_owned()))
    }

    /// Counts a failed round: true if it was one too many.
    fn fail_round(&self, rounds: &Mutex<usize>) -> bool {
        let mut rounds = rounds.lock().expect("a count");
        *rounds += 1;
        *rounds > self.rules.failed_rounds
    }

    fn let_go(&self, handle: &Bytes) {
        self.hold().remove(handle);
    }
}

fn told(resource: &Resource) -> String {
    let message: &dyn Display = &resource.message;
    format!("{}: {message}", resource.phase().as_str_name())
}
