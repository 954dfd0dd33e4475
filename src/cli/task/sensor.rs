//! The class of a sensor.

use std::str::FromStr;

use prost_types::{Struct, Value, value::Kind};

/// The task type of sensors.
pub(super) const TASK_TYPE: &str = "sensor";

/// A sensor's Python class, by its full name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SensorClass {
    module: String,
    name: String,
}

impl SensorClass {
    /// flytekit's `FileSensor`.
    pub(super) fn file_sensor() -> Self {
        Self { module: "flytekit.sensor.file_sensor".to_owned(), name: "FileSensor".to_owned() }
    }

    /// The `custom` that flytekit writes for a sensor without configuration.
    pub(super) fn custom(self) -> Struct {
        let null = Kind::NullValue(prost_types::NullValue::NullValue.into());
        let fields = [
            ("sensor_module", Kind::StringValue(self.module)),
            ("sensor_name", Kind::StringValue(self.name)),
            ("sensor_config", null.clone()),
            ("inputs", null),
        ];
        Struct {
            fields: fields.map(|(key, kind)| (key.to_owned(), Value { kind: Some(kind) })).into(),
        }
    }
}

impl FromStr for SensorClass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('.') {
            Some((module, name)) if !module.is_empty() && !name.is_empty() => {
                Ok(Self { module: module.to_owned(), name: name.to_owned() })
            }
            _ => Err("write the class with its module, as flytekit.sensor.file_sensor.FileSensor"
                .to_owned()),
        }
    }
}
