//! A backend in memory, with the connector for it: it does what a test says,
//! and counts what it is asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use flightdeck::{
    connector::{
        AsyncConnector, ConnectorError, JsonMeta, Phase, Resource, SyncConnector, TaskCategory,
        TaskRequest,
    },
    wire::flyteidl::core::TaskLog,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What a call of the backend does.
#[derive(Debug, Clone)]
pub enum Does<T> {
    Answers(T),
    Fails(ConnectorError),
    Panics,
    /// Answers after this time.
    Takes(Duration, T),
    Hangs,
}

impl<T> Does<T> {
    async fn done(self) -> Result<T, ConnectorError> {
        match self {
            Self::Answers(value) => Ok(value),
            Self::Fails(error) => Err(error),
            Self::Panics => panic!("the connector has a bug"),
            Self::Takes(time, value) => {
                tokio::time::sleep(time).await;
                Ok(value)
            }
            Self::Hangs => std::future::pending().await,
        }
    }
}

/// The backend's state, shared between the connector and the test.
#[derive(Clone)]
pub struct Backend(Arc<Mutex<State>>);

struct State {
    create: Does<()>,
    get: Does<Resource>,
    delete: Does<()>,
    created: Vec<String>,
    gets: Vec<Instant>,
    deletes: usize,
    deleted: usize,
}

impl Backend {
    /// A backend whose jobs run, and on which everything works.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            create: Does::Answers(()),
            get: Does::Answers(Resource::new(Phase::Running)),
            delete: Does::Answers(()),
            created: Vec::new(),
            gets: Vec::new(),
            deletes: 0,
            deleted: 0,
        })))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().expect("no test panics while it holds the state"))
    }

    pub fn on_create(&self, does: Does<()>) {
        self.with(|state| state.create = does);
    }

    pub fn on_get(&self, does: Does<Resource>) {
        self.with(|state| state.get = does);
    }

    pub fn on_delete(&self, does: Does<()>) {
        self.with(|state| state.delete = does);
    }

    pub fn job_is(&self, phase: Phase) {
        self.on_get(Does::Answers(Resource::new(phase)));
    }

    /// The idempotency keys of the creates, in their order.
    pub fn created(&self) -> Vec<String> {
        self.with(|state| state.created.clone())
    }

    /// When it was asked for a job's state.
    pub fn gets(&self) -> Vec<Instant> {
        self.with(|state| state.gets.clone())
    }

    /// How often a delete was tried.
    pub fn deletes(&self) -> usize {
        self.with(|state| state.deletes)
    }

    /// How many deletes succeeded.
    pub fn deleted(&self) -> usize {
        self.with(|state| state.deleted)
    }
}

/// The meta of [`BackendConnector`].
#[derive(Debug, Serialize, Deserialize)]
pub struct JobMeta {
    pub job: usize,
}

impl JsonMeta for JobMeta {}

/// An async connector for a [`Backend`], of task type `job`.
pub struct BackendConnector(pub Backend);

impl AsyncConnector for BackendConnector {
    type Meta = JobMeta;

    fn name(&self) -> &str {
        "Backend"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("job")]
    }

    async fn create(&self, task: &TaskRequest) -> Result<JobMeta, ConnectorError> {
        let key = task.idempotency_key.to_string();
        let does = self.0.with(|state| state.create.clone());
        does.done().await?;
        let job = self.0.with(|state| {
            state.created.push(key);
            state.created.len()
        });
        Ok(JobMeta { job })
    }

    async fn get(&self, _meta: &JobMeta) -> Result<Resource, ConnectorError> {
        let does = self.0.with(|state| {
            state.gets.push(Instant::now());
            state.get.clone()
        });
        does.done().await
    }

    async fn delete(&self, _meta: &JobMeta) -> Result<(), ConnectorError> {
        let does = self.0.with(|state| {
            state.deletes += 1;
            state.delete.clone()
        });
        does.done().await?;
        self.0.with(|state| state.deleted += 1);
        Ok(())
    }

    fn log_links(&self, meta: &JobMeta) -> Vec<TaskLog> {
        vec![TaskLog {
            name: "Console".to_owned(),
            uri: format!("http://backend/{}", meta.job),
            ..TaskLog::default()
        }]
    }
}

/// A sync connector for a [`Backend`], of task type `call`: its `do` is what
/// the backend does on a get.
pub struct SyncBackendConnector(pub Backend);

impl SyncConnector for SyncBackendConnector {
    fn name(&self) -> &str {
        "Sync Backend"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("call")]
    }

    async fn r#do(&self, _task: &TaskRequest) -> Result<Resource, ConnectorError> {
        let does = self.0.with(|state| {
            state.gets.push(Instant::now());
            state.get.clone()
        });
        does.done().await
    }
}
