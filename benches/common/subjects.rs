//! What is measured alone: requests that flytekit compiled, and connectors
//! whose backends answer at once.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{
        AsyncConnector, Connector, ConnectorError, ConnectorRegistry, IdempotencyKey, JsonMeta,
        Phase, Resource, SyncConnector, TaskCategory, TaskRequest,
    },
    supervisor::{Clock, Randomness, TaskQuery, Tasks, World},
    telemetry::Metrics,
    wire::{
        ExecutionId,
        flightdeck::v1::Execution,
        flyteidl::{
            admin::{CreateRequestHeader, CreateTaskRequest},
            core::LiteralMap,
        },
        handle::Handle,
    },
};
use prost::Message;
use prost_types::{Value, value::Kind};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

/// The task type of [`Warehouse`].
pub const QUERY: &str = "bigquery_query_job_task";

/// The task type of [`Hook`].
pub const WEBHOOK: &str = "webhook";

/// The Create of a query, as flytekit compiled it.
pub fn query() -> CreateTaskRequest {
    read(include_bytes!("../../tests/fixtures/flytekit-1.16/bigquery.create.binpb"))
}

/// The Create of a webhook with inputs of many types, as flytekit compiled it.
pub fn webhook() -> CreateTaskRequest {
    read(include_bytes!("../../tests/fixtures/flytekit-1.16/webhook_post.create.binpb"))
}

/// The reply of a webhook, as its outputs tell it.
pub fn reply() -> serde_json::Value {
    serde_json::json!({
        "status_code": 200,
        "response_data": "{\"id\": 17, \"state\": \"queued\"}",
        "input_data": {"mixed": "n=10 f=1.5", "n": 10, "text": "hi"},
        "url": "http://127.0.0.1:18080/hook/10",
    })
}

/// A meta of flytekit's own service.
pub const PLAIN_META: &[u8] =
    br#"{"job_id": "f1a2b3c4d5e6f7", "project": "flyte-test", "location": "US"}"#;

/// The Create of a webhook with a time-out that is no number: the connector finds out when all
/// the rest is ready to be sent.
pub fn unsendable_webhook() -> CreateTaskRequest {
    let mut request = webhook();
    let template = request.template.as_mut();
    let custom = template.and_then(|template| template.custom.as_mut()).expect("a custom");
    let soon = Value { kind: Some(Kind::StringValue("soon".to_owned())) };
    custom.fields.insert("timeout_sec".to_owned(), soon);
    request
}

/// The Create of a sensor, as flytekit compiled it.
pub fn sensor() -> CreateTaskRequest {
    read(include_bytes!("../../tests/fixtures/flytekit-1.16/file_sensor_local.create.binpb"))
}

fn read(bytes: &[u8]) -> CreateTaskRequest {
    CreateTaskRequest::decode(bytes).expect("a request of flytekit")
}

/// The same Create of the execution of a number, which makes it another task.
pub fn of_execution(request: &CreateTaskRequest, number: usize) -> CreateTaskRequest {
    let mut request = request.clone();
    let name = format!("f{number:013}");
    request.output_prefix = format!("s3://flyte-data/metadata/{name}/n0/data/0");
    let metadata = request.task_execution_metadata.as_mut();
    let id = metadata.and_then(|metadata| metadata.task_execution_id.as_mut());
    let node = id.and_then(|id| id.node_execution_id.as_mut());
    let execution = node.and_then(|node| node.execution_id.as_mut());
    execution.expect("a request with an execution").name = name;
    request
}

/// The ExecuteTaskSync of a Create.
pub fn execute(request: CreateTaskRequest) -> (CreateRequestHeader, Option<LiteralMap>) {
    let header = CreateRequestHeader {
        template: request.template,
        output_prefix: request.output_prefix,
        task_execution_metadata: request.task_execution_metadata,
        ..CreateRequestHeader::default()
    };
    (header, request.inputs)
}

/// What a connector is handed for a Create.
pub fn task_request(request: CreateTaskRequest) -> TaskRequest {
    TaskRequest {
        template: request.template.unwrap_or_default(),
        inputs: request.inputs,
        output_prefix: request.output_prefix,
        max_dataset_size_bytes: 0,
        metadata: request.task_execution_metadata,
        idempotency_key: IdempotencyKey([7; 16]),
    }
}

/// A question about the task of a handle.
pub fn about(handle: &Bytes) -> TaskQuery {
    TaskQuery {
        category: TaskCategory::from(QUERY),
        task_type: QUERY.to_owned(),
        resource_meta: handle.clone(),
        output_prefix: String::new(),
        deadline: None,
    }
}

/// A handle as a Create of the warehouse hands it out.
pub fn handle() -> Handle {
    Handle {
        task_id: Uuid::from_u128(0x0199_7d2c_8f00_7abc_9def_0123_4567_89ab),
        created: Standing.now(),
        deadline: None,
        execution: Some(ExecutionId::from(&Execution {
            project: "flytesnacks".to_owned(),
            domain: "development".to_owned(),
            name: "f1a2b3c4d5e6f7".to_owned(),
            node: "n0".to_owned(),
            attempt: 0,
        })),
        create_key: Some([9; 16]),
        connector: "Warehouse".to_owned(),
        trace_context: Bytes::new(),
        meta: Bytes::from_static(br#"{"id": "07070707070707070707070707070707"}"#),
        sync: false,
    }
}

/// A job of the warehouse.
#[derive(Serialize, Deserialize)]
pub struct Job {
    id: String,
}

impl JsonMeta for Job {}

/// Jobs that run until they are deleted.
#[derive(Clone, Default)]
pub struct Warehouse {
    polls: Arc<AtomicUsize>,
    polled: Arc<Notify>,
}

impl Warehouse {
    /// Waits until all of its jobs together have been polled so often.
    pub async fn polled(&self, times: usize) {
        while self.polls.load(Relaxed) < times {
            self.polled.notified().await;
        }
    }

    /// How often its jobs have been polled.
    pub fn polls(&self) -> usize {
        self.polls.load(Relaxed)
    }
}

impl AsyncConnector for Warehouse {
    type Meta = Job;

    fn name(&self) -> &str {
        "Warehouse"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from(QUERY)]
    }

    async fn create(&self, task: &TaskRequest) -> Result<Job, ConnectorError> {
        Ok(Job { id: task.idempotency_key.to_string() })
    }

    async fn get(&self, _job: &Job) -> Result<Resource, ConnectorError> {
        self.polls.fetch_add(1, Relaxed);
        self.polled.notify_one();
        Ok(Resource::new(Phase::Running))
    }

    async fn delete(&self, _job: &Job) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// Requests that are answered at once, and sent nowhere.
pub struct Hook;

impl SyncConnector for Hook {
    fn name(&self) -> &str {
        "Hook"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from(WEBHOOK)]
    }

    async fn r#do(&self, _task: &TaskRequest) -> Result<Resource, ConnectorError> {
        Ok(Resource::new(Phase::Succeeded))
    }
}

/// A registry with both.
pub fn connectors(warehouse: &Warehouse) -> Arc<ConnectorRegistry> {
    let connectors = ConnectorRegistry::new();
    let both = [Connector::from_async(warehouse.clone()), Connector::from_sync(Hook)];
    for connector in both {
        connectors.register(connector).expect("a task type of its own");
    }
    Arc::new(connectors)
}

/// A clock that stands.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_790_000_000_123)
    }
}

/// A world in which every run is the same.
pub fn world() -> World {
    World { clock: Arc::new(Standing), randomness: Arc::new(Randomness::seeded(7)) }
}

/// The supervisor, with a warehouse.
pub async fn tasks(config: &Config, warehouse: &Warehouse) -> Tasks {
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let tasks = Tasks::start(config, connectors(warehouse), metrics, world()).await;
    tasks.expect("a supervisor")
}
