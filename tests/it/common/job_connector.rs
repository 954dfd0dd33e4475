//! A connector for the jobs in some [`Books`], which has their faults.

use std::{future::pending, time::Duration};

use flightdeck::connector::{
    AsyncConnector, ConnectorError, JsonMeta, Phase, Resource, TaskCategory, TaskRequest,
};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::books::{Books, Fault, State};

/// The longest that a job runs.
const LONGEST: Duration = Duration::from_secs(90 * 60);

/// What is in the output prefixes of jobs that run until they are deleted.
pub const ENDLESS: &str = "endless";

#[derive(Debug, Serialize, Deserialize)]
pub struct JobMeta {
    pub job: usize,
}

impl JsonMeta for JobMeta {}

/// Task type `job`. How long a job runs follows from its key, if it ends at all.
#[derive(Clone)]
pub struct JobConnector(pub Books);

impl JobConnector {
    /// A call of the backend, as the fault of the moment has it.
    async fn call<T>(
        &self,
        is_get: bool,
        work: impl FnOnce(&Books) -> Result<T, ConnectorError> + Send,
    ) -> Result<T, ConnectorError> {
        match self.0.fault() {
            None => work(&self.0),
            Some(Fault::Lags) if !is_get => work(&self.0),
            Some(Fault::Lags) => Err(ConnectorError::gone("404 no such job")),
            Some(Fault::Refused) => Err(ConnectorError::unreached("connection refused")),
            Some(Fault::Unavailable) => Err(ConnectorError::transient("503")),
            Some(Fault::Denied) => Err(ConnectorError::denied("401")),
            Some(Fault::Hangs) => pending().await,
            Some(Fault::Slow(time)) => {
                let done = work(&self.0);
                sleep(time).await;
                done
            }
            Some(Fault::Cut) => {
                let _ = work(&self.0);
                Err(ConnectorError::transient("connection reset"))
            }
        }
    }
}

impl AsyncConnector for JobConnector {
    type Meta = JobMeta;

    fn name(&self) -> &str {
        "Jobs"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("job")]
    }

    async fn create(&self, task: &TaskRequest) -> Result<JobMeta, ConnectorError> {
        let key = task.idempotency_key;
        let runs_for = (!task.output_prefix.contains(ENDLESS))
            .then(|| LONGEST.mul_f64(f64::from(key.0[0]) / 255.0));
        let create = |books: &Books| Ok(books.create(&key.to_string(), runs_for));
        let job = match self.0.fault() {
            // A job that nobody was told of is beyond every service, so a cut
            // comes before it.
            Some(Fault::Cut) => Err(ConnectorError::transient("connection reset")),
            _ => self.call(false, create).await,
        }?;
        Ok(JobMeta { job })
    }

    async fn get(&self, meta: &JobMeta) -> Result<Resource, ConnectorError> {
        let state = |books: &Books| {
            books.get(meta.job).ok_or_else(|| ConnectorError::gone("404 no such job"))
        };
        Ok(Resource::new(match self.call(true, state).await? {
            State::Running => Phase::Running,
            State::Succeeded => Phase::Succeeded,
            State::Deleted => Phase::Aborted,
        }))
    }

    async fn delete(&self, meta: &JobMeta) -> Result<(), ConnectorError> {
        let delete = |books: &Books| match books.delete(meta.job) {
            true => Ok(()),
            false => Err(ConnectorError::gone("404 no such job")),
        };
        self.call(false, delete).await
    }
}
