//! Holds the compiled wire against Flyte's: against a table of every field,
//! enum value and rpc, against the HTTP routes, and against requests that
//! flytekit itself has encoded.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flightdeck::wire::FILE_DESCRIPTOR_SET;
use flightdeck::wire::flyteidl::admin::CreateTaskRequest;
use prost::Message;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};
use serde_json::Value;

/// Every field, enum value and rpc of flyteidl that a connector service meets.
const TABLE: &str = include_str!("../fixtures/flyteidl-v1.tsv");

/// The messages without fields, which have no row in the table. The last two are
/// here for the enums in them.
const WITHOUT_FIELDS: [&str; 6] = [
    "flyteidl.admin.DeleteTaskResponse",
    "flyteidl.admin.ListAgentsRequest",
    "flyteidl.core.RuntimeBinding",
    "flyteidl.core.Void",
    "flyteidl.core.ExecutionError",
    "flyteidl.core.TaskExecution",
];

/// The route of each rpc, and of a POST what its body fills.
const ROUTES: [(&str, &str); 8] = [
    ("CreateTask", "post /api/v1/agent/task body *"),
    (
        "GetTask",
        "get /api/v1/agent/task/{task_category.name}/{task_category.version}/{resource_meta}",
    ),
    (
        "DeleteTask",
        "delete /api/v1/agent/task_executions/{task_category.name}/{task_category.version}/{resource_meta}",
    ),
    (
        "GetTaskMetrics",
        "get /api/v1/agent/task/metrics/{task_category.name}/{task_category.version}/{resource_meta}",
    ),
    (
        "GetTaskLogs",
        "get /api/v1/agent/task/logs/{task_category.name}/{task_category.version}/{resource_meta}",
    ),
    ("ExecuteTaskSync", "post /api/v1/agent/task/stream body *"),
    ("GetAgent", "get /api/v1/agent/{name}"),
    ("ListAgents", "get /api/v1/agents"),
];

// The table: both ways, so that nothing is missing and nothing is made up.

#[test]
fn descriptors_are_those_of_the_table() {
    let mut lines = TABLE.lines();
    assert_eq!(lines.next(), Some("kind\tfile\tparent\tname\tnumber\tlabel\ttype\toneof"));
    let expected: BTreeSet<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(expected.len(), 404, "rows of the table");

    let mut found = BTreeSet::new();
    for message in messages() {
        found.extend(message.fields().map(|field| field_row(&message, &field)));
    }
    for values in enums() {
        found.extend(value_rows(&values));
    }
    found.extend(methods().iter().map(method_row));

    assert_same("descriptors", &expected, &found);
}

#[test]
fn only_known_messages_have_no_fields() {
    let found: BTreeSet<String> = messages()
        .iter()
        .filter(|message| message.fields().len() == 0)
        .map(|message| message.full_name().to_owned())
        .collect();
    let expected = WITHOUT_FIELDS.map(str::to_owned).into();
    assert_same("messages without fields", &expected, &found);
}

#[test]
fn files_are_proto3_and_in_the_package_of_their_folder() {
    let files: Vec<_> =
        pool().files().filter(|file| file.name().starts_with("flyteidl/")).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(file.file_descriptor_proto().syntax(), "proto3", "{}", file.name());
        let folder = Path::new(file.name()).parent().and_then(Path::to_str);
        let package = file.package_name().replace('.', "/");
        assert_eq!(folder, Some(package.as_str()), "{}", file.name());
    }
}

fn field_row(message: &MessageDescriptor, field: &FieldDescriptor) -> String {
    let label = match field.cardinality() {
        _ if field.is_map() => "map",
        Cardinality::Optional => "singular",
        Cardinality::Required => "required",
        Cardinality::Repeated => "repeated",
    };
    let kind = match field.kind() {
        Kind::Message(message) => format!("message:{}", message.full_name()),
        Kind::Enum(values) => format!("enum:{}", values.full_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    let oneof = field.containing_oneof();
    row([
        "field",
        message.parent_file().name(),
        message.full_name(),
        field.name(),
        &field.number().to_string(),
        label,
        &kind,
        oneof.as_ref().map_or("", |oneof| oneof.name()),
    ])
}

fn value_rows(values: &EnumDescriptor) -> Vec<String> {
    let file = values.parent_file();
    values
        .values()
        .map(|value| {
            row([
                "enum",
                file.name(),
                values.full_name(),
                value.name(),
                &value.number().to_string(),
                "",
                "",
                "",
            ])
        })
        .collect()
}

fn method_row(method: &MethodDescriptor) -> String {
    let stream = |streams| if streams { "stream " } else { "" };
    let types = format!(
        "{}{} -> {}{}",
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name(),
    );
    row([
        "rpc",
        method.parent_file().name(),
        method.parent_service().full_name(),
        method.name(),
        "",
        "",
        &types,
        "",
    ])
}

/// A row as the table has it, without the empty cells at its end.
fn row(cells: [&str; 8]) -> String {
    cells.join("\t").trim_end().to_owned()
}

// The routes: they survive only in the encoded descriptors.

#[test]
fn routes_are_those_of_flyte() {
    let expected = ROUTES.map(|(method, route)| format!("{method}: {route}")).into();
    let found =
        methods().iter().map(|method| format!("{}: {}", method.name(), route(method))).collect();
    assert_same("routes", &expected, &found);
}

fn route(method: &MethodDescriptor) -> String {
    let http =
        pool().get_extension_by_name("google.api.http").expect("the annotation is described");
    let options = method.options();
    if !options.has_extension(&http) {
        return "none".to_owned();
    }
    let rule = options.get_extension(&http);
    let rule = rule.as_message().expect("an HttpRule");
    rule.fields()
        .map(|(field, value)| {
            let value = value.as_str().expect("a string");
            format!("{} {value}", field.name())
        })
        .collect::<Vec<_>>()
        .join(" ")
}

// The requests: each as flytekit encoded it, beside the same as JSON.

#[test]
fn requests_of_flytekit_come_back_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flytekit-1.16");
    let mut requests = 0;
    for entry in fs::read_dir(&folder).expect("the folder of requests") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "binpb") {
            continue;
        }
        let bytes = fs::read(&path).expect("a request");
        let json = fs::read_to_string(path.with_extension("json")).expect("its JSON");
        request_comes_back_whole(&path.display().to_string(), &bytes, &json);
        requests += 1;
    }
    assert_eq!(requests, 7, "requests in {}", folder.display());
}

fn request_comes_back_whole(name: &str, bytes: &[u8], json: &str) {
    let description = pool()
        .get_message_by_name("flyteidl.admin.CreateTaskRequest")
        .expect("a description of the request");
    let decode = |bytes: &[u8]| {
        DynamicMessage::decode(description.clone(), bytes)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    };

    let mut deserializer = serde_json::Deserializer::from_str(json);
    let expected = DynamicMessage::deserialize(description.clone(), &mut deserializer)
        .unwrap_or_else(|error| panic!("{name}: {error}"));

    // By the description: a field that it lacks would be left over here.
    let described = decode(bytes);
    assert_same(name, &leaves(&expected), &leaves(&described));
    assert_eq!(expected, described, "{name}");

    // By the generated code, there and back.
    let request =
        CreateTaskRequest::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let generated = decode(&request.encode_to_vec());
    assert_same(name, &leaves(&expected), &leaves(&generated));
    assert_eq!(expected, generated, "{name}");
}

/// Each value in a message with the path to it, so that a difference can be read.
fn leaves(message: &DynamicMessage) -> BTreeSet<String> {
    fn walk(path: &str, value: &Value, leaves: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (name, field) in fields {
                    walk(&format!("{path}.{name}"), field, leaves);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(&format!("{path}[{index}]"), item, leaves);
                }
            }
            leaf => {
                leaves.insert(format!("{path} = {leaf}"));
            }
        }
    }

    let value = serde_json::to_value(message).expect("JSON of a message");
    let unknown = message.unknown_fields().map(|field| format!("unknown field {}", field.number()));
    let mut leaves = unknown.collect();
    walk("", &value, &mut leaves);
    leaves
}

// What the tests share.

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the descriptors of the wire")
}

/// Flyte's messages, map entries and nested ones included.
fn messages() -> Vec<MessageDescriptor> {
    pool().all_messages().filter(|message| message.full_name().starts_with("flyteidl.")).collect()
}

fn enums() -> Vec<EnumDescriptor> {
    pool().all_enums().filter(|values| values.full_name().starts_with("flyteidl.")).collect()
}

fn methods() -> Vec<MethodDescriptor> {
    let pool = pool();
    let of_flyte = |service: &ServiceDescriptor| service.full_name().starts_with("flyteidl.");
    pool.services()
        .filter(of_flyte)
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

/// Compares two sets and lists everything in which they differ.
fn assert_same(what: &str, expected: &BTreeSet<String>, found: &BTreeSet<String>) {
    let missing = expected.difference(found).map(|line| format!("- {line}"));
    let extra = found.difference(expected).map(|line| format!("+ {line}"));
    let differing: Vec<_> = missing.chain(extra).collect();
    assert!(
        differing.is_empty(),
        "{what}: {} differ (- missing, + not expected)\n{}",
        differing.len(),
        differing.join("\n")
    );
}
