//! What is asked of a service: requests that flytekit compiled.

use bytes::Bytes;
use flightdeck::wire::{
    flyteidl::{
        admin::{CreateTaskRequest, DeleteTaskRequest, GetTaskRequest, TaskCategory},
        core::LiteralMap,
    },
    literal,
};
use prost_types::{Struct, Value, value::Kind};

use crate::subjects;

/// The task type of sensors.
pub const SENSOR: &str = "sensor";

/// The Create of a FileSensor, one of its own for each path.
pub fn file_sensor(path: &str) -> CreateTaskRequest {
    let mut request = subjects::sensor();
    request.inputs =
        Some(LiteralMap { literals: [("path".to_owned(), literal::string(path))].into() });
    request.output_prefix = format!("s3://flyte-data/metadata/f1a2b3c4d5e6f7/n0/data/{path}");
    request
}

/// The template and inputs of a webhook that posts to a URL.
pub fn webhook(url: &str) -> CreateTaskRequest {
    let mut request = subjects::webhook();
    let custom = request.template.as_mut().and_then(|template| template.custom.as_mut());
    let fields = &mut custom.expect("a webhook's fields").fields;
    fields.extend(text_fields([("url", url)]).fields);
    request
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
