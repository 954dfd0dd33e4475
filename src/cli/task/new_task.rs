//! A task to be: what the flags say of it, as a request.

use std::{collections::BTreeSet, fs, path::PathBuf};

use clap::Args as ClapArgs;
use prost_types::Struct;

use super::{
    execution::ExecutionArgs,
    input::Input,
    json::{self, names},
    request_file,
    sensor::{self, SensorClass},
};
use crate::{
    cli::UsageError,
    wire::flyteidl::{admin::CreateTaskRequest, core::TaskTemplate},
};

/// Describes the task.
#[derive(Debug, ClapArgs)]
pub(super) struct NewTaskArgs {
    /// The task type, such as sensor or webhook
    #[arg(
        long = "type",
        value_name = "TYPE",
        required_unless_present_any = ["sensor", "request"]
    )]
    task_type: Option<String>,

    /// The version of the task type
    #[arg(long, value_name = "VERSION", default_value_t = 0)]
    type_version: i32,

    /// An input: NAME=TEXT is a string, NAME:=JSON is of the JSON's type
    #[arg(long = "input", value_name = "NAME=TEXT|NAME:=JSON")]
    inputs: Vec<Input>,

    /// The template's custom, a JSON object: what the connector is told
    #[arg(long, value_name = "JSON", value_parser = custom)]
    custom: Option<Struct>,

    /// The same, from a file
    #[arg(long, value_name = "FILE", conflicts_with = "custom")]
    custom_file: Option<PathBuf>,

    /// The class of a sensor [default: flytekit.sensor.file_sensor.FileSensor]
    #[arg(long, value_name = "MODULE.NAME", conflicts_with_all = ["custom", "custom_file"])]
    sensor: Option<SensorClass>,

    /// A whole CreateTaskRequest, or a TaskTemplate, as protobuf JSON or binary;
    /// - is stdin. Other flags change what it says
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["task_type", "type_version", "custom", "custom_file", "sensor"]
    )]
    request: Option<PathBuf>,

    /// The folder for the outputs, such as s3://bucket/execution/n0/data/0
    #[arg(long, value_name = "URL")]
    output_prefix: Option<String>,

    #[command(flatten)]
    execution: ExecutionArgs,
}

impl NewTaskArgs {
    /// The request that creates the task.
    pub(super) fn request(mut self) -> Result<CreateTaskRequest, UsageError> {
        let mut request = match &self.request {
            Some(path) => request_file::read(path)?,
            None => CreateTaskRequest {
                template: Some(self.template()?),
                ..CreateTaskRequest::default()
            },
        };
        put_inputs(&mut request, &self.inputs)?;
        if let Some(prefix) = self.output_prefix {
            request.output_prefix = prefix;
        }
        if !self.execution.is_empty() {
            let metadata = request.task_execution_metadata.get_or_insert_default();
            self.execution.fill(metadata.task_execution_id.get_or_insert_default());
        }
        Ok(request)
    }

    fn template(&mut self) -> Result<TaskTemplate, UsageError> {
        let task_type = self.task_type.take();
        let task_type = task_type.unwrap_or_else(|| sensor::TASK_TYPE.to_owned());
        if self.sensor.is_some() && task_type != sensor::TASK_TYPE {
            return Err(UsageError(format!(
                "--sensor is for tasks of type {}, and --type is {task_type}; leave one of them \
                 away",
                sensor::TASK_TYPE
            )));
        }
        Ok(TaskTemplate {
            custom: self.take_custom(&task_type)?,
            r#type: task_type,
            task_type_version: self.type_version,
            ..TaskTemplate::default()
        })
    }

    fn take_custom(&mut self, task_type: &str) -> Result<Option<Struct>, UsageError> {
        if let Some(path) = &self.custom_file {
            let read = fs::read_to_string(path).map_err(|error| error.to_string());
            return read
                .and_then(|text| custom(&text))
                .map(Some)
                .map_err(|error| UsageError(format!("--custom-file {}: {error}", path.display())));
        }
        let sensor = || {
            let class = self.sensor.take();
            (task_type == sensor::TASK_TYPE)
                .then(|| class.unwrap_or_else(SensorClass::file_sensor).custom())
        };
        Ok(self.custom.take().or_else(sensor))
    }
}

/// Adds the inputs to the values and to the interface, in the place of those
/// with the same name.
fn put_inputs(request: &mut CreateTaskRequest, inputs: &[Input]) -> Result<(), UsageError> {
    let mut names = BTreeSet::new();
    if let Some(twice) = inputs.iter().find(|input| !names.insert(&input.name)) {
        return Err(UsageError(format!(
            "--input {} is given twice; give each input once",
            twice.name
        )));
    }
    if inputs.is_empty() {
        return Ok(());
    }
    let values = &mut request.inputs.get_or_insert_default().literals;
    let template = request.template.get_or_insert_default();
    let interface = template.interface.get_or_insert_default();
    let variables = &mut interface.inputs.get_or_insert_default().variables;
    for input in inputs {
        values.insert(input.name.clone(), input.literal());
        variables.insert(input.name.clone(), input.variable());
    }
    Ok(())
}

fn custom(text: &str) -> Result<Struct, String> {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    if !json.is_object() {
        return Err("it must be a JSON object, in braces".to_owned());
    }
    json::message(names::STRUCT, json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use prost::Message;

    use super::*;

    const FIXTURE: &str = "tests/fixtures/flytekit-1.16/file_sensor_local.create.binpb";

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        task: NewTaskArgs,
    }

    fn request(flags: &[&str]) -> Result<CreateTaskRequest, String> {
        let line = Line::try_parse_from([&["create"], flags].concat());
        let line = line.map_err(|error| error.to_string())?;
        line.task.request().map_err(|error| error.to_string())
    }

    fn fixture() -> CreateTaskRequest {
        let bytes = fs::read(FIXTURE).expect("a request of flytekit");
        CreateTaskRequest::decode(bytes.as_slice()).expect("a request of flytekit")
    }

    #[test]
    fn a_sensor_is_described_as_flytekit_describes_it() {
        let input = "path=/tmp/flytekit-fixture/ready";
        let request = request(&["--type", "sensor", "--input", input]).expect("a request");
        let expected = fixture();
        assert_eq!(request.inputs, expected.inputs);
        let inputs = |template: &TaskTemplate| template.interface.clone().expect("one").inputs;
        let (template, expected) =
            (request.template.expect("one"), expected.template.expect("one"));
        assert_eq!(template.custom, expected.custom);
        assert_eq!(inputs(&template), inputs(&expected));
        assert_eq!(request.task_execution_metadata, None);
        assert_eq!(request.output_prefix, "");
    }

    #[test]
    fn flags_change_what_a_request_in_a_file_says_and_nothing_else() {
        let flags = ["--attempt", "3", "--output-prefix", "s3://b/3", "--input", "path=/x"];
        let changed = request(&[&["--request", FIXTURE], &flags[..]].concat()).expect("a request");
        let mut expected = fixture();
        expected.output_prefix = "s3://b/3".to_owned();
        let path = "path=/x".parse::<Input>().expect("an input").literal();
        expected.inputs.as_mut().expect("inputs").literals.insert("path".to_owned(), path);
        let metadata = expected.task_execution_metadata.as_mut().expect("an execution");
        metadata.task_execution_id.as_mut().expect("an id").retry_attempt = 3;
        assert_eq!(changed, expected);
        assert_eq!(request(&["--request", FIXTURE]), Ok(fixture()));
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for (flags, reason) in [
            (&["--input", "a=b"][..], "--type"),
            (&["--type", "webhook", "--sensor", "a.B"], "--sensor is for tasks of type sensor"),
            (&["--type", "x", "--custom", "{}", "--custom-file", "f"], "cannot be used with"),
            (&["--type", "x", "--request", "f"], "cannot be used with"),
            (&["--type", "x", "--input", "a=1", "--input", "a=2"], "--input a is given twice"),
            (&["--type", "x", "--custom", "5"], "JSON object"),
            (&["--type", "x", "--custom-file", "/nowhere"], "/nowhere: No such file"),
            (&["--request", "/nowhere"], "/nowhere: No such file"),
        ] {
            let error = request(flags).expect_err("a contradiction");
            assert!(error.contains(reason), "{flags:?}: {error}");
        }
    }
}
