//! Propeller as its connector services meet it: when it asks, how long it
//! waits, and what an error costs a task or a workflow.

use std::{
    collections::HashSet,
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
    time::{Instant, sleep, timeout},
};

use super::requests;

const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

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
    /// How long an attempt of a node may take.
    pub timeout: Option<Duration>,
}

/// What became of a workflow.
#[derive(Debug, Default)]
pub struct Report {
    pub succeeded: usize,
    pub aborted: usize,
    /// Nodes of which every Create failed, or every attempt took too long.
    pub out_of_attempts: usize,
    /// What the user has lost to faults: tasks and workflows, with the reason.
    pub lost: Vec<String>,
    pub failed_rounds: usize,
}

impl Report {
    /// Counts another workflow in.
    pub fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.aborted += other.aborted;
        self.out_of_attempts += other.out_of_attempts;
        self.lost.extend(other.lost);
        self.failed_rounds += other.failed_rounds;
    }
}

/// One propeller. Clones share it.
#[derive(Clone)]
pub struct Propeller<S> {
    service: S,
    rules: Rules,
    /// The handles that somebody will ask about again.
    held: Arc<Mutex<HashSet<Bytes>>>,
}

/// A workflow under way. Clones share it.
#[derive(Clone)]
struct Run {
    workflow: Arc<Workflow>,
    report: Arc<Mutex<Report>>,
    aborted: watch::Sender<bool>,
    /// When the last round failed.
    failed: Arc<Mutex<Option<Instant>>>,
}

/// How an attempt ended.
enum End {
    Succeeded,
    NotCreated,
    /// It failed, or its time is up: another may follow.
    Retry(Bytes),
    /// It failed for good.
    Failed(Bytes),
    /// The workflow was aborted while it ran.
    Aborted(Bytes),
}

impl Run {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().expect("nobody panics while it writes")
    }

    fn take_report(&self) -> Report {
        std::mem::take(&mut *self.report())
    }

    fn lose(&self, reason: &str) {
        self.report().lost.push(format!("{}: {reason}", self.workflow.name));
    }

    /// Counts a failed round, once for all nodes that failed in it: how many
    /// there were.
    fn fail_round(&self, round: Duration) -> usize {
        let mut failed = self.failed.lock().expect("nobody panics while it counts");
        let mut report = self.report();
        if failed.is_none_or(|at| at.elapsed() >= round) {
            *failed = Some(Instant::now());
            report.failed_rounds += 1;
        }
        report.failed_rounds
    }

    /// Aborts what still runs of the workflow.
    fn abort(&self) {
        self.aborted.send_replace(true);
    }

    fn is_aborted(&self) -> bool {
        *self.aborted.borrow()
    }

    async fn until_aborted(&self) {
        // The sender is here, so it is not gone.
        let _ = self.aborted.subscribe().wait_for(|aborted| *aborted).await;
    }
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

    fn let_go(&self, handle: &Bytes) {
        self.hold().remove(handle);
    }

    /// Runs a workflow to its end.
    pub async fn run(self, workflow: Workflow) -> Report {
        let run = Run {
            workflow: Arc::new(workflow),
            report: Arc::default(),
            aborted: watch::Sender::new(false),
            failed: Arc::default(),
        };
        let mut nodes = JoinSet::new();
        for node in 0..run.workflow.nodes {
            let (propeller, run) = (self.clone(), run.clone());
            nodes.spawn(async move { propeller.node(&run, node).await });
        }
        if let Some(after) = run.workflow.abort_after {
            let run = run.clone();
            nodes.spawn(async move {
                let _ = timeout(after, run.until_aborted()).await;
                run.abort();
                None
            });
        }
        let mut left = Vec::new();
        while let Some(handle) = nodes.join_next().await {
            left.extend(handle.expect("a node does not panic"));
        }
        // An abort wakes nodes in no order, and a seed has to repeat a run.
        left.sort_unstable();
        self.delete(&run, left).await;
        run.take_report()
    }

    /// Runs a node to its end: the task that it leaves to be deleted.
    async fn node(&self, run: &Run, node: usize) -> Option<Bytes> {
        let mut left = None;
        for attempt in 0..self.rules.attempts {
            // The job of the attempt before is deleted first.
            self.delete(run, left.take().into_iter().collect()).await;
            if run.is_aborted() {
                return None;
            }
            match self.attempt(run, node, attempt).await {
                End::NotCreated => {}
                End::Retry(handle) => left = Some(handle),
                End::Succeeded => {
                    run.report().succeeded += 1;
                    return None;
                }
                End::Aborted(handle) => {
                    run.report().aborted += 1;
                    return Some(handle);
                }
                End::Failed(handle) => {
                    // No Delete is sent for it.
                    self.let_go(&handle);
                    run.abort();
                    return None;
                }
            }
        }
        run.report().out_of_attempts += 1;
        run.abort();
        left
    }

    async fn attempt(&self, run: &Run, node: usize, attempt: u32) -> End {
        let Workflow { name, task_type, timeout: limit, .. } = &*run.workflow;
        let prefix = format!("s3://flyte/{name}/n{node}/{attempt}");
        let create = || requests::create_in(name, task_type, &prefix, attempt);
        let mut handle = self.call(self.service.create(create())).await;
        if node.is_multiple_of(2) && handle.is_ok() {
            // It could not persist what it was told, and asks again.
            handle = self.call(self.service.create(create())).await;
        }
        let Ok(handle) = handle else {
            return End::NotCreated;
        };
        self.hold().insert(handle.clone());
        let follow = self.follow(run, &handle);
        let end = timeout(limit.unwrap_or(FOR_EVER), follow).await;
        let end = end.unwrap_or_else(|_| End::Retry(handle.clone()));
        if matches!(end, End::Succeeded) {
            self.let_go(&handle);
        }
        end
    }

    /// Asks about a task until its end. The jobs here never fail, so a failure
    /// is a loss, also one that leaves attempts.
    async fn follow(&self, run: &Run, handle: &Bytes) -> End {
        let mut failed = 0;
        loop {
            match self.call(self.service.get(handle)).await {
                Ok(resource) => match resource.phase() {
                    Phase::Succeeded => return End::Succeeded,
                    Phase::RetryableFailed => {
                        run.lose(&told(&resource));
                        return End::Retry(handle.clone());
                    }
                    Phase::Failed | Phase::Aborted | Phase::Undefined => {
                        run.lose(&told(&resource));
                        return End::Failed(handle.clone());
                    }
                    _ => {}
                },
                Err(error) => {
                    failed += 1;
                    if failed > self.rules.failed_gets {
                        run.lose(&format!("{failed} Gets failed, the last: {error}"));
                        return End::Failed(handle.clone());
                    }
                }
            }
            tokio::select! {
                biased;
                () = sleep(self.rules.cadence) => {}
                () = run.until_aborted() => return End::Aborted(handle.clone()),
            }
        }
    }

    /// Deletes tasks: each round tries all that are left, and a workflow
    /// survives only so many rounds that fail.
    async fn delete(&self, run: &Run, mut left: Vec<Bytes>) {
        while !left.is_empty() {
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
            if left.is_empty() {
                return;
            }
            if run.fail_round(self.rules.round) > self.rules.failed_rounds {
                run.lose(&format!("too many failed rounds, the last: {reason}"));
                run.abort();
                return left.iter().for_each(|handle| self.let_go(handle));
            }
            sleep(self.rules.round).await;
        }
    }

    /// A call within its deadline.
    async fn call<T>(&self, call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let answered = timeout(self.rules.deadline, call).await;
        answered.unwrap_or_else(|_| Err("the deadline has passed".to_owned()))
    }
}

fn told(resource: &Resource) -> String {
    format!("{}: {}", resource.phase().as_str_name(), resource.message)
}
