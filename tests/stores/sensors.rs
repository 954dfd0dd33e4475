//! The service, and the sensors in it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{Phase, TaskCategory},
    connectors::builtin,
    supervisor::{TaskQuery, Tasks, World},
    telemetry::Metrics,
    wire::{
        flyteidl::{
            admin::{CreateTaskRequest, Resource},
            core::{Literal, LiteralMap, TaskTemplate},
        },
        literal,
    },
};
use prost_types::{Struct, Value, value::Kind};
use tokio::time::{Instant, sleep};

/// The longest that a test waits for anything.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The supervisor with the built-in connectors.
pub struct Service {
    tasks: Tasks,
}

/// The handle of a task.
pub type Handle = Bytes;

impl Service {
    pub async fn start(config: &Config) -> Self {
        let mut config = config.clone();
        // A Get tells of the first poll, however busy the machine is.
        config.tasks.get_wait = LIMIT;
        let config = &config;
        let connectors = Arc::new(builtin(config).expect("built-in connectors"));
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let tasks = Tasks::start(config, connectors, metrics, World::real()).await;
        Self { tasks: tasks.expect("a supervisor") }
    }

    /// A FileSensor on this path; an error is the Create's.
    pub async fn create(&self, path: &str) -> Result<Handle, String> {
        let names = ("flytekit.sensor.file_sensor", "FileSensor");
        self.create_sensor(names, None, [("path", literal::string(path))]).await
    }

    /// Any sensor: its module and its class, its configuration and its inputs.
    pub async fn create_sensor<const N: usize>(
        &self,
        (module, name): (&str, &str),
        config: Option<Value>,
        inputs: [(&str, Literal); N],
    ) -> Result<Handle, String> {
        let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
        let mut fields =
            [("sensor_module".to_owned(), text(module)), ("sensor_name".to_owned(), text(name))]
                .to_vec();
        fields.extend(config.map(|config| ("sensor_config".to_owned(), config)));
        let inputs = inputs.into_iter().map(|(name, value)| (name.to_owned(), value));
        let request = CreateTaskRequest {
            template: Some(TaskTemplate {
                r#type: "sensor".to_owned(),
                custom: Some(Struct { fields: fields.into_iter().collect() }),
                ..TaskTemplate::default()
            }),
            inputs: Some(LiteralMap { literals: inputs.collect() }),
            ..CreateTaskRequest::default()
        };
        self.tasks.create(request).await.map_err(|error| error.to_string())
    }

    /// What a Get answers: a failed one fails the test.
    pub async fn get(&self, handle: &Handle) -> Resource {
        let query = TaskQuery {
            category: TaskCategory::from("sensor"),
            task_type: "sensor".to_owned(),
            resource_meta: handle.clone(),
            output_prefix: String::new(),
            deadline: None,
        };
        self.tasks.get(query).await.expect("a Get never fails")
    }

    /// The phase now, after at least one poll that was answered.
    pub async fn phase(&self, path: &str) -> (Phase, String) {
        let handle = self.create(path).await.expect("a handle");
        let resource = self.get(&handle).await;
        (resource.phase(), resource.message)
    }

    /// Waits for a task to be in this phase, and says how long it took.
    pub async fn wait(&self, handle: &Handle, phase: Phase) -> Duration {
        self.wait_until(handle, |resource| resource.phase() == phase).await
    }

    /// Waits for a Get to answer so.
    pub async fn wait_until(&self, handle: &Handle, is: impl Fn(&Resource) -> bool) -> Duration {
        let began = Instant::now();
        loop {
            let resource = self.get(handle).await;
            if is(&resource) {
                return began.elapsed();
            }
            assert!(began.elapsed() < LIMIT, "after {LIMIT:?} it is {resource:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Polls often, so that a test takes no longer than it must.
pub fn quick(mut config: Config, interval: Duration) -> Config {
    config.polling.first.clear();
    config.polling.interval = interval;
    config.polling.max_backoff = config.polling.max_backoff.max(interval);
    config
}
