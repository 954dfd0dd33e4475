//! What is asked of a service.

use bytes::Bytes;
use flightdeck::wire::{
    flyteidl::{
        admin::{CreateTaskRequest, DeleteTaskRequest, GetTaskRequest, TaskCategory},
        core::{
            LiteralMap, LiteralType, SimpleType, TaskTemplate, TypedInterface, Variable,
            VariableMap, literal_type,
        },
    },
    literal,
};
use prost_types::{Struct, Value, value::Kind};

/// The task type of sensors.
pub const SENSOR: &str = "sensor";

/// The Create of a FileSensor, as flytekit compiles it.
pub fn file_sensor(path: &str) -> CreateTaskRequest {
    let custom = [("sensor_module", "flytekit.sensor.file_sensor"), ("sensor_name", "FileSensor")];
    let text = literal_type::Type::Simple(SimpleType::String.into());
    let path_type = LiteralType { r#type: Some(text), ..LiteralType::default() };
    let variable = Variable { r#type: Some(path_type), ..Variable::default() };
    let inputs = VariableMap { variables: [("path".to_owned(), variable)].into() };
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: SENSOR.to_owned(),
            custom: Some(text_fields(custom)),
            interface: Some(TypedInterface { inputs: Some(inputs), outputs: None }),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap { literals: [("path".to_owned(), literal::string(path))].into() }),
        output_prefix: "s3://flyte/metadata/flytesnacks-development-f1/n0/data/0".to_owned(),
        ..CreateTaskRequest::default()
    }
}

/// The template and inputs of a webhook that posts to a URL.
pub fn webhook(url: &str) -> CreateTaskRequest {
    let custom = [("url", url), ("method", "POST")];
    let mut custom = text_fields(custom);
    custom.fields.insert("show_data".to_owned(), Value { kind: Some(Kind::BoolValue(false)) });
    custom.fields.insert("show_url".to_owned(), Value { kind: Some(Kind::BoolValue(false)) });
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: "webhook".to_owned(),
            custom: Some(custom),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap::default()),
        ..CreateTaskRequest::default()
    }
}

pub fn text_fields<const N: usize>(fields: [(&str, &str); N]) -> Struct {
    let fields = fields.map(|(key, value)| {
        (key.to_owned(), Value { kind: Some(Kind::StringValue(value.to_owned())) })
    });
    Struct { fields: fields.into() }
}

/// Asks how a sensor is doing.
pub fn get(handle: &Bytes) -> GetTaskRequest {
    GetTaskRequest {
        task_category: Some(TaskCategory { name: SENSOR.to_owned(), version: 0 }),
        resource_meta: handle.clone(),
        ..GetTaskRequest::default()
    }
}

/// Ends a sensor.
pub fn delete(handle: &Bytes) -> DeleteTaskRequest {
    DeleteTaskRequest {
        task_category: Some(TaskCategory { name: SENSOR.to_owned(), version: 0 }),
        resource_meta: handle.clone(),
        ..DeleteTaskRequest::default()
    }
}
