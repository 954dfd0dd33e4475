//! The sensor connector: one task type, any number of [`Sensor`]s.

mod catalog;
mod file;
mod inputs;
mod meta;

use crate::{
    config,
    connector::{
        AsyncConnector, ConnectorError, Phase, PollPolicy, Resource, Sensor, TaskCategory,
        TaskRequest,
    },
};

use catalog::Catalog;
pub use file::FileSensor;
pub use meta::SensorMeta;
use serde_json::Map;

/// Pokes sensors. The task type, its `custom` and its meta are those of
/// flytekit's `SensorEngine`.
pub struct SensorEngine {
    catalog: Catalog,
    interval: Option<std::time::Duration>,
}

impl SensorEngine {
    /// An engine with the built-in sensors.
    pub fn new(settings: &config::Sensor) -> Self {
        let mut engine = Self { catalog: Catalog::default(), interval: settings.interval };
        engine.add(FileSensor::new());
        engine.add(FileSensor::reexported());
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
        let Ok(mut meta) = SensorMeta::from_template(&task.template, Map::new()) else {
            return true;
        };
        // A class that is not built in may take what ours cannot read.
        meta.inputs = inputs::read(task).ok();
        self.catalog.claims(&meta)
    }

    fn claims_meta(&self, meta: &SensorMeta) -> bool {
        self.catalog.claims(meta)
    }

    async fn create(&self, task: &TaskRequest) -> Result<SensorMeta, ConnectorError> {
        let meta = SensorMeta::from_template(&task.template, inputs::read(task)?)?;
        self.catalog.check(&meta)?;
        Ok(meta)
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

    fn poll_policy(&self, configured: PollPolicy) -> PollPolicy {
        PollPolicy { interval: self.interval.unwrap_or(configured.interval), ..configured }
    }
}
