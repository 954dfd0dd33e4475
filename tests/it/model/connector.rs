//! The connectors of the backend in memory: `job` is an async task type,
//! `call` a sync one.

use std::{future::pending, panic::resume_unwind, time::Duration};

use flightdeck::{
    connector::{
        AsyncConnector, ConnectorError, JsonMeta, Phase, Resource, SyncConnector, TaskCategory,
        TaskRequest,
    },
    wire::handle::Handle,
};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{
    backend::{Backend, Fault, Operation, Outcome, State},
    moment::Moment,
};

/// What finds a job again.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobMeta {
    pub job: usize,
}

impl JsonMeta for JobMeta {}

/// A panic that prints nothing: there are thousands.
fn bug() -> ! {
    resume_unwind(Box::new("the connector has a bug"))
}

/// The number of the job behind a handle of task type `job`.
pub fn job_number(handle: &[u8]) -> Option<usize> {
    let handle = Handle::decode(handle).ok()??;
    serde_json::from_slice::<JobMeta>(&handle.meta).ok().map(|meta| meta.job)
}

/// Jobs that outlive the call. Task type `job`.
pub struct JobConnector(pub Backend);

impl AsyncConnector for JobConnector {
    type Meta = JobMeta;

    fn name(&self) -> &str {
        "Jobs"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("job")]
    }

    async fn create(&self, task: &TaskRequest) -> Result<JobMeta, ConnectorError> {
        let backend = &self.0;
        let _creating = backend.creating(&task.output_prefix);
        let start = || backend.start(&task.output_prefix, task.idempotency_key);
        let job = match backend.fault(Operation::Create) {
            None => start(),
            // The dangerous kind: the job is there before anybody hears of it.
            Some(Fault::Slow(time)) => {
                let job = start();
                sleep(time).await;
                job
            }
            Some(Fault::Panics) => bug(),
            Some(Fault::Hangs) => pending().await,
            Some(fault) => return Err(fault.error()),
        };
        Ok(JobMeta { job })
    }

    async fn get(&self, meta: &JobMeta) -> Result<Resource, ConnectorError> {
        let call = Ongoing::begin(&self.0, Operation::Get, meta.job);
        let state = self.0.job(meta.job).map_or(State::Lost, |job| job.state);
        call.end(match state {
            State::Running => Ok(Phase::Running),
            State::Ended(phase) => Ok(phase),
            State::Deleted => Ok(Phase::Aborted),
            State::Lost => Err(ConnectorError::gone("no such job")),
        })
        .await
        .map(Resource::new)
    }

    async fn delete(&self, meta: &JobMeta) -> Result<(), ConnectorError> {
        let call = Ongoing::begin(&self.0, Operation::Delete, meta.job);
        let state = self.0.job(meta.job).map_or(State::Lost, |job| job.state);
        call.end(match state {
            State::Lost => Err(ConnectorError::gone("no such job")),
            State::Running | State::Ended(_) | State::Deleted => Ok(Phase::Aborted),
        })
        .await?;
        self.0.turn(meta.job, State::Deleted);
        Ok(())
    }
}

/// Tasks that answer with the result: its message names the run. Task type
/// `call`.
pub struct CallConnector(pub Backend);

impl SyncConnector for CallConnector {
    fn name(&self) -> &str {
        "Calls"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("call")]
    }

    async fn r#do(&self, task: &TaskRequest) -> Result<Resource, ConnectorError> {
        let run = self.0.start_run(&task.output_prefix, task.idempotency_key);
        let call = Ongoing::begin(&self.0, Operation::Do, run);
        let phase = call.end(Ok(Phase::Succeeded)).await?;
        Ok(Resource::new(phase).with_message(format!("run {run}")))
    }
}

/// The limits of a connector's calls, as they are configured by default.
const LIMIT: Duration = Duration::from_secs(30);
const DO_LIMIT: Duration = Duration::from_secs(300);

/// A call under way; what it came to is noted when it ends.
struct Ongoing<'a> {
    backend: &'a Backend,
    operation: Operation,
    job: usize,
    began: Moment,
    over: bool,
}

impl<'a> Ongoing<'a> {
    fn begin(backend: &'a Backend, operation: Operation, job: usize) -> Self {
        Self { backend, operation, job, began: backend.now(), over: false }
    }

    /// Ends with what the job's state allows, or with the fault that there is.
    async fn end(mut self, works: Result<Phase, ConnectorError>) -> Result<Phase, ConnectorError> {
        let result = match self.backend.fault(self.operation) {
            None => works,
            Some(Fault::Slow(time)) => {
                sleep(time).await;
                works
            }
            Some(Fault::Hangs) => pending().await,
            Some(Fault::Panics) => {
                self.note(Outcome::Panicked);
                bug()
            }
            Some(fault) => Err(fault.error()),
        };
        self.note(match &result {
            Ok(phase) => Outcome::Found(*phase),
            Err(error) => Outcome::Failed(error.class()),
        });
        result
    }

    fn note(&mut self, outcome: Outcome) {
        self.over = true;
        self.backend.note(self.operation, self.job, outcome);
    }
}

impl Drop for Ongoing<'_> {
    fn drop(&mut self) {
        let limit = match self.operation {
            Operation::Do => DO_LIMIT,
            Operation::Create | Operation::Get | Operation::Delete => LIMIT,
        };
        // Dropped before the limit it was aborted, and found nothing out.
        if !self.over && self.backend.now().saturating_sub(self.began) >= limit {
            self.note(Outcome::TimedOut);
        }
    }
}
