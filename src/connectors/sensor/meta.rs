//! What finds a sensor's task again: the meta of flytekit's `SensorMetadata`.

use prost_types::{Struct, Value as ProtoValue, value::Kind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    connector::{ConnectorError, JsonMeta},
    wire::flyteidl::core::TaskTemplate,
};

/// One task of a sensor. The order of the fields is flytekit's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorMeta {
    /// The Python module of the sensor's class.
    pub sensor_module: String,
    /// The name of the sensor's class.
    pub sensor_name: String,
    /// What the class's constructor is given.
    #[serde(default)]
    pub sensor_config: Option<Value>,
    /// What `poke` is given.
    #[serde(default)]
    pub inputs: Option<Map<String, Value>>,
}

impl JsonMeta for SensorMeta {}

/// The keys that flytekit writes into a sensor's `custom`.
const KEYS: [&str; 4] = ["sensor_module", "sensor_name", "sensor_config", "inputs"];

impl SensorMeta {
    /// The module of the sensor that a template names.
    pub(in crate::connectors) fn module_of(
        template: &TaskTemplate,
    ) -> Result<String, ConnectorError> {
        text(template.custom.as_ref().unwrap_or(&Struct::default()), "sensor_module")
    }

    /// The meta for a template, with the inputs of the request.
    pub(super) fn from_template(
        template: &TaskTemplate,
        inputs: Map<String, Value>,
    ) -> Result<Self, ConnectorError> {
        let empty = Struct::default();
        let custom = template.custom.as_ref().unwrap_or(&empty);
        if let Some(key) = custom.fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConnectorError::invalid(format!(
                "the template's custom has a key {key:?} that a sensor does not have; there are \
                 {}",
                KEYS.join(", ")
            )));
        }
        Ok(Self {
            sensor_module: text(custom, "sensor_module")?,
            sensor_name: text(custom, "sensor_name")?,
            sensor_config: custom
                .fields
                .get("sensor_config")
                .map(json)
                .filter(|config| !config.is_null()),
            inputs: Some(inputs),
        })
    }
}

fn text(custom: &Struct, key: &str) -> Result<String, ConnectorError> {
    match custom.fields.get(key).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(ConnectorError::invalid(format!(
            "the template's custom has no {key}: a sensor task names the module and the class \
             of its sensor"
        ))),
    }
}

fn json(value: &ProtoValue) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::from(*value),
        Some(Kind::NumberValue(value)) => Value::from(*value),
        Some(Kind::StringValue(value)) => Value::from(value.as_str()),
        Some(Kind::ListValue(list)) => list.values.iter().map(json).collect(),
        Some(Kind::StructValue(fields)) => {
            fields.fields.iter().map(|(key, value)| (key.clone(), json(value))).collect()
        }
    }
}
