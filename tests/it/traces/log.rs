//! The log, as a machine reads it.

use flightdeck::wire::{
    flyteidl::service::async_agent_service_client::AsyncAgentServiceClient, handle::Handle,
};
use serde_json::Value;

use crate::{
    common::{
        process::Process,
        requests::{delete, get},
    },
    service::file_sensor,
};

#[tokio::test]
async fn each_change_of_a_task_is_a_json_line_with_its_ids_and_an_unchanged_poll_is_none() {
    let settings = [
        ("FLIGHTDECK_LOG__FORMAT", "json"),
        ("FLIGHTDECK_POLLING__INTERVAL", "5ms"),
        ("FLIGHTDECK_SENSOR__INTERVAL", "5ms"),
        ("FLIGHTDECK_SERVER__DRAIN_GRACE", "0s"),
        // Nobody listens there: the lines have their ids all the same.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let mut process = Process::start(&settings).await;
    let mut client = AsyncAgentServiceClient::new(process.channel().await);
    let mut request = file_sensor(std::path::Path::new("/nowhere/at/all"));
    let with_id = crate::common::requests::create("sensor", "s3://b/0", 1);
    request.task_execution_metadata = with_id.task_execution_metadata;
    request.output_prefix = with_id.output_prefix;
    let created = client.create_task(request).await.expect("a handle").into_inner();
    let handle = created.resource_meta;
    let known = Handle::decode(&handle).expect("a handle").expect("an envelope");
    for _ in 0..20 {
        client.get_task(get("sensor", &handle)).await.expect("a state");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    client.delete_task(delete("sensor", &handle)).await.expect("OK");
    process.signal("TERM").await;

    let lines = process.rest_of_log().await;
    let lines: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let about: Vec<_> =
        lines.iter().filter(|line| line.get("flightdeck.task_id").is_some()).collect();
    let messages: Vec<_> = about.iter().map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, [Some("created"), Some("phase changed"), Some("deleted")]);
    let trace: String =
        known.trace_context[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    for line in about {
        assert_eq!(line["flightdeck.task_id"], known.task_id.to_string());
        assert_eq!(line["flightdeck.connector"], "Sensor");
        assert_eq!(line["flyte.task_type"], "sensor");
        assert_eq!(line["flyte.project"], "flytesnacks");
        assert_eq!(line["flyte.execution"], "f1");
        assert_eq!(line["flyte.node"], "n0");
        assert_eq!(line["flyte.attempt"], 1);
        assert_eq!(line["trace_id"], trace);
        assert_eq!(line["level"], "INFO");
    }
    let changed = lines.iter().find(|line| line["message"] == "phase changed");
    assert_eq!(changed.map(|line| &line["flyte.phase"]), Some(&Value::from("RUNNING")));
}
