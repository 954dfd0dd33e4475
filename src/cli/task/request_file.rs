//! A request in a file.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::bail;
use serde_json::Value;

use super::json::{self, names};
use crate::{
    cli::UsageError,
    wire::flyteidl::{admin::CreateTaskRequest, core::TaskTemplate},
};

/// The fields of a CreateTaskRequest in JSON, none of which a template has.
const REQUEST_KEYS: [&str; 6] = [
    "inputs",
    "template",
    "outputPrefix",
    "output_prefix",
    "taskExecutionMetadata",
    "task_execution_metadata",
];

/// Reads a CreateTaskRequest, or a TaskTemplate to make one of, as protobuf's
/// JSON or binary; `-` is stdin.
pub(super) fn read(path: &Path) -> Result<CreateTaskRequest, UsageError> {
    let bytes = contents(path).map_err(|error| {
        UsageError(format!("cannot read --request {}: {error}", path.display()))
    })?;
    parse(&bytes).map_err(|error| {
        UsageError(format!(
            "--request {} is neither a CreateTaskRequest nor a TaskTemplate: {error:#}",
            path.display()
        ))
    })
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Tells JSON from binary by trying: a binary request may well begin with a
/// line feed and a brace, but it is no JSON.
fn parse(bytes: &[u8]) -> anyhow::Result<CreateTaskRequest> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(json) => from_json(json),
        Err(error) if bytes.starts_with(b"{") => Err(error.into()),
        Err(_) => from_binary(bytes),
    }
}

fn from_json(json: Value) -> anyhow::Result<CreateTaskRequest> {
    let is_request = REQUEST_KEYS.iter().any(|key| json.get(key).is_some());
    let request = match is_request {
        true => json::message(names::CREATE_REQUEST, json)?,
        false => of_template(json::message(names::TEMPLATE, json)?),
    };
    match has_type(&request) {
        true => Ok(request),
        false => bail!("its template has no type"),
    }
}

/// Of the two messages the one that names a task type: neither can be read as
/// the other and still have one.
fn from_binary(bytes: &[u8]) -> anyhow::Result<CreateTaskRequest> {
    let request = json::strict(names::CREATE_REQUEST, bytes).filter(has_type);
    let template = || json::strict::<TaskTemplate>(names::TEMPLATE, bytes).map(of_template);
    match request.or_else(|| template().filter(has_type)) {
        Some(request) => Ok(request),
        None => bail!("it is not JSON, and no such message with a task type in binary"),
    }
}

fn of_template(template: TaskTemplate) -> CreateTaskRequest {
    CreateTaskRequest { template: Some(template), ..CreateTaskRequest::default() }
}

fn has_type(request: &CreateTaskRequest) -> bool {
    let template = request.template.as_ref();
    template.is_some_and(|template| !template.r#type.is_empty())
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    const JSON: &[u8] =
        include_bytes!("../../../tests/fixtures/flytekit-1.16/file_sensor_local.create.json");
    const BINARY: &[u8] =
        include_bytes!("../../../tests/fixtures/flytekit-1.16/file_sensor_local.create.binpb");

    #[test]
    fn a_request_is_read_from_json_and_from_binary() {
        let request = parse(BINARY).expect("a request");
        assert_eq!(parse(JSON).expect("a request"), request);
        assert_eq!(request, CreateTaskRequest::decode(BINARY).expect("a request"));
    }

    #[test]
    fn a_template_is_read_from_json_and_from_binary() {
        let template = parse(BINARY).expect("a request").template.expect("a template");
        let binary = template.encode_to_vec();
        let expected = of_template(template);
        assert_eq!(parse(&binary).expect("a template"), expected);
        let json: Value = serde_json::from_slice(JSON).expect("JSON");
        let json = json["template"].to_string();
        assert_eq!(parse(json.as_bytes()).expect("a template"), expected);
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        for (bytes, reason) in [
            (&b""[..], "not JSON"),
            (b"hello", "not JSON"),
            (b"{\"type\": ", "EOF"),
            (b"{}", "no type"),
            (b"[]", "map"),
            (b"{\"tpye\": \"sensor\"}", "tpye"),
            (b"{\"template\": {\"type\": 5}}", "string"),
        ] {
            let error = format!("{:#}", parse(bytes).expect_err("no request"));
            assert!(error.contains(reason), "{error}");
        }
    }
}
