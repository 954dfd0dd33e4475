//! No leak: memory over time while short tasks come and go.
//!
//! Tasks whose jobs end at once are created, asked about until their end, and
//! leave. Memory must not grow over the second half of them.

use std::{sync::Arc, time::Duration};

use flightdeck::{
    config::Config,
    connector::{
        AsyncConnector, Connector, ConnectorError, ConnectorRegistry, JsonMeta, Phase, Resource,
        TaskCategory, TaskRequest,
    },
    supervisor::{TaskQuery, Tasks, World},
    telemetry::Metrics,
    wire::flyteidl::{admin::CreateTaskRequest, core::TaskTemplate},
};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::{
    Settings,
    process::Usage,
    report::{Report, Target::AtMost},
    runtime,
};

const TASKS: usize = 200_000;
const MILLION: usize = 1_000_000;

/// Tasks under way at once.
const AT_ONCE: usize = 64;

/// Tasks that come before all of them have left: so many are live at most.
const BATCH: usize = 10_000;

/// Readings of the memory.
const READINGS: usize = 10;

/// How much memory may grow over the second half, in MiB: the allocator's own
/// slack. A leak of 50 bytes a task would be 24 MiB in half a million.
const SLACK: f64 = 8.0;

#[derive(Serialize, Deserialize)]
struct Job {
    key: String,
}

impl JsonMeta for Job {}

/// Jobs that have ended as soon as one looks.
struct Short;

impl AsyncConnector for Short {
    type Meta = Job;

    fn name(&self) -> &str {
        "Short"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("short")]
    }

    async fn create(&self, task: &TaskRequest) -> Result<Job, ConnectorError> {
        Ok(Job { key: task.idempotency_key.to_string() })
    }

    async fn get(&self, _job: &Job) -> Result<Resource, ConnectorError> {
        Ok(Resource::new(Phase::Succeeded))
    }

    async fn delete(&self, _job: &Job) -> Result<(), ConnectorError> {
        Ok(())
    }
}

pub fn run(settings: &Settings, report: &mut Report) {
    let full = if settings.million { MILLION } else { TASKS };
    runtime().block_on(measure(settings.count(full, 2_000), report));
}

async fn measure(count: usize, report: &mut Report) {
    let mut config = Config::default();
    config.tasks.retention = Duration::ZERO;
    let connectors = ConnectorRegistry::new();
    connectors.register(Connector::from_async(Short)).expect("a task type of its own");
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let tasks = Tasks::start(&config, Arc::new(connectors), metrics, World::real()).await;
    let tasks = tasks.expect("a supervisor");

    let before = Usage::own();
    let mut resident = Vec::new();
    for _ in 0..READINGS {
        let mut left = count / READINGS;
        while left > 0 {
            let batch = left.min(BATCH);
            live_and_leave(&tasks, batch).await;
            left -= batch;
        }
        resident.push(Usage::own().resident / f64::from(1 << 20));
    }
    let cpu = (Usage::own() - before).cpu.as_secs_f64() * 1e6 / count as f64;
    let growth = resident[READINGS - 1] - resident[READINGS / 2 - 1];
    let name = format!("{count} short tasks");
    report.targeted(
        format!("{name}: growth over the second half"),
        "MiB",
        vec![growth],
        AtMost(SLACK),
    );
    report.figure(format!("{name}: resident at the end"), "MiB", resident[READINGS - 1]);
    report.figure(format!("{name}: CPU for a whole life"), "us", cpu);
}

/// So many tasks, from their creation until the last has left.
async fn live_and_leave(tasks: &Tasks, count: usize) {
    let lives = (0..AT_ONCE).map(|first| {
        let tasks = tasks.clone();
        tokio::spawn(async move {
            for _ in (first..count).step_by(AT_ONCE) {
                live(&tasks).await;
            }
        })
    });
    for life in lives.collect::<Vec<_>>() {
        life.await.expect("no panic");
    }
    let leaving = async {
        while !tasks.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), leaving).await.expect("every task leaves");
}

async fn live(tasks: &Tasks) {
    let template = TaskTemplate { r#type: "short".to_owned(), ..TaskTemplate::default() };
    let request = CreateTaskRequest { template: Some(template), ..CreateTaskRequest::default() };
    let handle = tasks.create(request).await.expect("a handle");
    let query = TaskQuery {
        category: TaskCategory::from("short"),
        task_type: "short".to_owned(),
        resource_meta: handle,
        output_prefix: String::new(),
        deadline: None,
    };
    let resource = tasks.get(query).await.expect("a state");
    assert_eq!(resource.phase(), Phase::Succeeded);
}
