//! The sensor connector: one task type, any number of [`Sensor`]s.

mod catalog;
mod count;
mod file;
mod given;
mod http;
mod inputs;
mod meta;
mod newer;
mod store;
mod time;

use crate::{
    config::{self, Config},
    connector::{
        AsyncConnector, ConnectorError, Phase, PollPolicy, Resource, Sensor, TaskCategory,
        TaskRequest,
    },
};

use catalog::Catalog;
use count::FileCountSensor;
use file::{FileSensor, Files};
use futures::future::BoxFuture;
use http::HttpSensor;
pub use meta::SensorMeta;
use newer::FileNewerSensor;
use store::{Clients, Environment, Stores, Web};
use time::TimeSensor;

/// The module of the sensors that are our own: `examples/flightdeck_sensors.py`
/// under this name in a workflow author's project.
const OWN_MODULE: &str = "flightdeck_sensors";

/// Pokes sensors. The task type, its `custom` and its meta are those of
/// flytekit's `SensorEngine`.
pub struct SensorEngine {
    catalog: Catalog,
    settings: config::Sensor,
}

impl SensorEngine {
    /// An engine with the built-in sensors.
    pub fn new(config: &Config) -> Self {
        let mut engine = Self { catalog: Catalog::default(), settings: config.sensor.clone() };
        let storage = &config.storage;
        // A poll must not be answered by what the one before it was told.
        let interval = config.sensor.interval.unwrap_or(config.polling.interval);
        let share_for = storage.share_for.min(interval / 2);
        let clients = Clients::new(storage);
        let environment = Environment::of_process();
        let stores = Stores::new(storage, share_for, environment, clients.clone());
        let web = Web::new(storage, share_for, clients);
        let files = Files::new(stores, web.clone(), config.sensor.watch_files);
        engine.add(FileSensor::new(files.clone()));
        engine.add(FileSensor::reexported(files.clone()));
        engine.add(FileNewerSensor::new(files.clone()));
        engine.add(FileCountSensor::new(files));
        engine.add(HttpSensor::new(web));
        engine.add(TimeSensor);
        engine
    }

    /// Adds a sensor, in the place of one with the same module and name.
    pub fn add(&mut self, sensor: impl Sensor) {
        self.catalog.add(sensor);
    }
}

impl AsyncConnector for SensorEngine {
    type Meta = SensorMeta;

    fn name(&self) -> &str {
        "Sensor"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("sensor")]
    }

    /// Leaves classes that are not built in, and what these do not reach, to an
    /// upstream. A task that is wrong in itself is refused here.
    fn claims(&self, task: &TaskRequest) -> bool {
        let Ok(meta) = SensorMeta::from_template(&task.template) else {
            return true;
        };
        // A class that is not built in may take what ours cannot read.
        self.catalog.claims(&meta, || inputs::read(task))
    }

    fn claims_meta(&self, meta: &SensorMeta) -> bool {
        self.catalog.claims(meta, || meta.inputs())
    }

    async fn create(&self, task: &TaskRequest) -> Result<SensorMeta, ConnectorError> {
        let inputs = inputs::read(task)?;
        let meta = SensorMeta::from_template(&task.template)?;
        self.catalog.check(&meta, &inputs)?;
        meta.with_inputs(&inputs)
    }

    async fn get(&self, meta: &SensorMeta) -> Result<Resource, ConnectorError> {
        let there = self.catalog.poke(meta).await?;
        Ok(Resource::new(match there {
            true => Phase::Succeeded,
            false => Phase::Running,
        }))
    }

    /// Nothing runs anywhere.
    async fn delete(&self, _meta: &SensorMeta) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn changed(&self, meta: &SensorMeta) -> Option<BoxFuture<'static, ()>> {
        self.catalog.changed(meta)
    }

    fn poll_policy(&self, configured: PollPolicy) -> PollPolicy {
        let interval = self.settings.interval.unwrap_or(configured.interval);
        let max_backoff = configured.max_backoff.min(self.settings.max_backoff).max(interval);
        PollPolicy { interval, max_backoff, ..configured }
    }
}
