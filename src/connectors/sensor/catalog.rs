//! The sensors that there are, by module and name.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::{BoxFuture, FutureExt};
use serde_json::{Map, Value};

use super::SensorMeta;
use crate::connector::{ConnectorError, Sensor};

/// Sensors with the types of their inputs erased.
#[derive(Default)]
pub(super) struct Catalog {
    /// By module, then by name.
    sensors: BTreeMap<String, BTreeMap<String, Arc<dyn AnySensor>>>,
}

trait AnySensor: Send + Sync {
    fn claims(&self, inputs: &Map<String, Value>) -> bool;
    fn check(&self, meta: &SensorMeta, inputs: &Map<String, Value>) -> Result<(), ConnectorError>;
    fn poke<'a>(&'a self, meta: &'a SensorMeta) -> BoxFuture<'a, Result<bool, ConnectorError>>;
    fn changed(&self, meta: &SensorMeta) -> Option<BoxFuture<'static, ()>>;
}

impl<S: Sensor> AnySensor for S {
    fn claims(&self, inputs: &Map<String, Value>) -> bool {
        Sensor::claims(self, inputs)
    }

    fn check(&self, meta: &SensorMeta, inputs: &Map<String, Value>) -> Result<(), ConnectorError> {
        self.inputs(inputs, meta.sensor_config.as_deref()).map(drop)
    }

    fn poke<'a>(&'a self, meta: &'a SensorMeta) -> BoxFuture<'a, Result<bool, ConnectorError>> {
        async move {
            let inputs = read(self, meta).map_err(not_ours)?;
            Sensor::poke(self, &inputs).await
        }
        .boxed()
    }

    fn changed(&self, meta: &SensorMeta) -> Option<BoxFuture<'static, ()>> {
        Sensor::changed(self, &read(self, meta).ok()?)
    }
}

impl Catalog {
    pub(super) fn add(&mut self, sensor: impl Sensor) {
        let module = self.sensors.entry(sensor.module().to_owned()).or_default();
        module.insert(sensor.name().to_owned(), Arc::new(sensor));
    }

    /// True for a sensor that is built in and serves the task's inputs, or is
    /// to refuse them.
    pub(super) fn claims(
        &self,
        meta: &SensorMeta,
        inputs: impl FnOnce() -> Result<Map<String, Value>, ConnectorError>,
    ) -> bool {
        let Ok(sensor) = self.find(meta) else {
            return false;
        };
        inputs().map_or(true, |inputs| sensor.claims(&inputs))
    }

    /// Refuses what can never come true.
    pub(super) fn check(
        &self,
        meta: &SensorMeta,
        inputs: &Map<String, Value>,
    ) -> Result<(), ConnectorError> {
        self.find(meta)?.check(meta, inputs)
    }

    /// Pokes the task's sensor. One that this service does not have, in a task
    /// taken over from another, is no reason to fail it: the other may have it.
    pub(super) async fn poke(&self, meta: &SensorMeta) -> Result<bool, ConnectorError> {
        self.find(meta).map_err(not_ours)?.poke(meta).await
    }

    /// When the task's sensor may come true, if it can tell.
    pub(super) fn changed(&self, meta: &SensorMeta) -> Option<BoxFuture<'static, ()>> {
        self.find(meta).ok()?.changed(meta)
    }

    fn find(&self, meta: &SensorMeta) -> Result<&Arc<dyn AnySensor>, ConnectorError> {
        let module = self.sensors.get(&*meta.sensor_module);
        module.and_then(|names| names.get(&*meta.sensor_name)).ok_or_else(|| {
            let modules = self.sensors.iter();
            let known =
                modules.flat_map(|(m, names)| names.keys().map(move |n| format!("{m}.{n}")));
            let known: Vec<_> = known.collect();
            ConnectorError::invalid(format!(
                "sensor {}.{} is not built in; there are {}. A Python class of that name needs \
                 an upstream that has it: see [[upstream]] and --modules",
                meta.sensor_module,
                meta.sensor_name,
                known.join(", ")
            ))
        })
    }
}

fn not_ours(error: ConnectorError) -> ConnectorError {
    ConnectorError::transient(error.message())
}

fn read<S: Sensor>(sensor: &S, meta: &SensorMeta) -> Result<S::Inputs, ConnectorError> {
    sensor.inputs(&meta.inputs()?, meta.sensor_config.as_deref())
}
