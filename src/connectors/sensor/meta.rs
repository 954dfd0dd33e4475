//! What finds a sensor's task again: the meta of flytekit's `SensorMetadata`.

use prost_types::{Struct, Value as ProtoValue, value::Kind};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    connector::{ConnectorError, JsonMeta},
    wire::{flyteidl::core::TaskTemplate, python},
};

/// One task of a sensor. The order of the fields is flytekit's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SensorMeta {
    /// The Python module of the sensor's class.
    pub sensor_module: Box<str>,
    /// The name of the sensor's class.
    pub sensor_name: Box<str>,
    /// What the class's constructor is given.
    #[serde(default)]
    pub sensor_config: Option<Box<Value>>,
    /// What `poke` is given.
    #[serde(default)]
    inputs: Option<Inputs>,
}

impl JsonMeta for SensorMeta {}

/// A JSON object, kept as its text: a meta lives as long as its task, and what
/// is read from the text takes four times the memory.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
struct Inputs(Box<RawValue>);

impl Inputs {
    fn new(inputs: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::from_slice(&python::to_json(inputs)?)?))
    }

    fn read(&self) -> Result<Map<String, Value>, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

impl<'de> Deserialize<'de> for Inputs {
    /// Reads them as well, so that a meta with others is refused.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let inputs = Self(Deserialize::deserialize(deserializer)?);
        inputs.read().map_err(D::Error::custom)?;
        Ok(inputs)
    }
}

/// The keys that flytekit writes into a sensor's `custom`.
const KEYS: [&str; 4] = ["sensor_module", "sensor_name", "sensor_config", "inputs"];

impl SensorMeta {
    /// The module of the sensor that a template names.
    pub(in crate::connectors) fn module_of(
        template: &TaskTemplate,
    ) -> Result<Box<str>, ConnectorError> {
        text(template.custom.as_ref().unwrap_or(&Struct::default()), "sensor_module")
    }

    /// The meta for a template, without inputs.
    pub(super) fn from_template(template: &TaskTemplate) -> Result<Self, ConnectorError> {
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
                .filter(|config| !config.is_null())
                .map(Box::new),
            inputs: None,
        })
    }

    /// The same with the inputs of the request.
    pub(super) fn with_inputs(self, inputs: &Map<String, Value>) -> Result<Self, ConnectorError> {
        Ok(Self { inputs: Some(Inputs::new(inputs).map_err(unusable)?), ..self })
    }

    /// What `poke` is given: nothing, for a meta without inputs.
    pub(super) fn inputs(&self) -> Result<Map<String, Value>, ConnectorError> {
        let inputs = self.inputs.as_ref().map(Inputs::read).transpose();
        Ok(inputs.map_err(unusable)?.unwrap_or_default())
    }
}

fn unusable(error: serde_json::Error) -> ConnectorError {
    ConnectorError::invalid(format!("the sensor's inputs cannot be used: {error}"))
}

fn text(custom: &Struct, key: &str) -> Result<Box<str>, ConnectorError> {
    match custom.fields.get(key).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) if !text.is_empty() => Ok(text.as_str().into()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ResourceMeta;

    #[test]
    fn a_meta_comes_back_byte_by_byte() {
        for inputs in ["null", "{}", r#"{"path": "/tmp/\u00e9", "n": [1, 2.50]}"#] {
            let text = format!(
                r#"{{"sensor_module": "m", "sensor_name": "n", "sensor_config": null, "inputs": {inputs}}}"#
            );
            let meta = SensorMeta::decode(text.as_bytes()).expect(&text);
            assert_eq!(meta.encode(), Ok(text.into_bytes()));
        }
    }

    #[test]
    fn inputs_are_an_object_or_none() {
        for inputs in ["[]", "1", r#"{"path": "\ud800"}"#] {
            let text =
                format!(r#"{{"sensor_module": "m", "sensor_name": "n", "inputs": {inputs}}}"#);
            assert!(SensorMeta::decode(text.as_bytes()).is_err(), "{inputs}");
        }
    }
}
