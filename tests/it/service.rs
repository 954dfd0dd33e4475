//! The services over real gRPC on loopback.

use std::{
    net::{IpAddr, Ipv6Addr},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{ConnectorError, Phase},
    server::SERVICE_NAMES,
    wire::{
        flyteidl::{
            admin::{
                CreateTaskRequest, ExecuteTaskSyncRequest, GetAgentRequest, GetTaskLogsRequest,
                GetTaskRequest, ListAgentsRequest, Resource, execute_task_sync_request::Part,
                execute_task_sync_response::Res, get_task_logs_response,
            },
            core::{LiteralMap, TypedInterface, Variable, VariableMap},
            service::{
                agent_metadata_service_client::AgentMetadataServiceClient,
                async_agent_service_client::AsyncAgentServiceClient,
                sync_agent_service_client::SyncAgentServiceClient,
            },
        },
        literal,
    },
};
use prost::Message;
use prost_types::{Struct, Value, value::Kind};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::common::{
    backend::{Backend, Does},
    requests::{anonymous, delete, get, header},
    service::{LIMIT, TestService},
};

/// The Create of a `FileSensor`, as flytekit compiles it.
pub fn file_sensor(path: &Path) -> CreateTaskRequest {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let mut request = anonymous("sensor");
    let template = request.template.get_or_insert_default();
    template.custom = Some(Struct {
        fields: [
            ("sensor_module".to_owned(), text("flytekit.sensor.file_sensor")),
            ("sensor_name".to_owned(), text("FileSensor")),
        ]
        .into(),
    });
    template.interface = Some(TypedInterface {
        inputs: Some(VariableMap { variables: [("path".to_owned(), Variable::default())].into() }),
        outputs: None,
    });
    request.inputs = Some(LiteralMap {
        literals: [("path".to_owned(), literal::string(path.display().to_string()))].into(),
    });
    request
}

async fn state(
    client: &mut AsyncAgentServiceClient<tonic::transport::Channel>,
    task_type: &str,
    handle: &Bytes,
) -> Resource {
    let response = client.get_task(get(task_type, handle)).await.expect("a state");
    response.into_inner().resource.expect("a resource")
}

#[tokio::test]
async fn a_file_sensor_runs_until_its_file_appears() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ready");
    let created = client.create_task(file_sensor(&path)).await.expect("a handle");
    let handle = created.into_inner().resource_meta;
    assert_eq!(state(&mut client, "sensor", &handle).await.phase(), Phase::Running);

    std::fs::write(&path, "").expect("a file");
    let begun = Instant::now();
    while state(&mut client, "sensor", &handle).await.phase() != Phase::Succeeded {
        assert!(begun.elapsed() < LIMIT, "still not there");
        sleep(Duration::from_millis(20)).await;
    }
    client.delete_task(delete("sensor", &handle)).await.expect("OK");
    service.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn the_deprecated_task_type_finds_the_connector_and_names_the_task_in_errors() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let meta = Bytes::from_static(br#"{"job": 7}"#);
    let request = |task_type: &str, category: &str| GetTaskRequest {
        task_type: task_type.to_owned(),
        ..get(category, &meta)
    };
    client.get_task(request("job", "")).await.expect("found by task_type");
    client.get_task(request("nobody", "job")).await.expect("found by task_category");
    for (task_type, category, named) in
        [("nobody", "", "nobody"), ("", "nobody", "nobody"), ("job", "nobody", "job")]
    {
        let status = client.get_task(request(task_type, category)).await.expect_err("unknown");
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), format!("Cannot find connector for task type: {named}."));
    }
    let mut other_version = get("job", &meta);
    other_version.task_category.get_or_insert_default().version = 1;
    let status = client.get_task(other_version).await.expect_err("no such version");
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_sensor_that_cannot_work_is_refused_at_create() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let hdfs = file_sensor(Path::new("hdfs://host/key"));
    let empty = file_sensor(Path::new(""));
    let mut unknown = file_sensor(Path::new("/tmp/x"));
    let custom = unknown.template.get_or_insert_default().custom.get_or_insert_default();
    custom.fields.insert(
        "sensor_module".to_owned(),
        Value { kind: Some(Kind::StringValue("my_company.sensors".to_owned())) },
    );
    let mut wrong_type = file_sensor(Path::new("/tmp/x"));
    let inputs = wrong_type.inputs.get_or_insert_default();
    inputs.literals.insert("path".to_owned(), literal::integer(5));
    let mut no_inputs = file_sensor(Path::new("/tmp/x"));
    no_inputs.inputs = None;
    for (request, reason) in [
        (hdfs, "no hdfs:// storage"),
        (empty, "is empty"),
        (unknown, "my_company.sensors.FileSensor is not built in"),
        (wrong_type, "must be a string, and is 5"),
        (no_inputs, "path is missing"),
        (anonymous("sensor"), "no sensor_module"),
    ] {
        let status = client.create_task(request).await.expect_err(reason);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(reason), "{}", status.message());
    }
}

#[tokio::test]
async fn a_sync_task_is_executed_by_one_stream() {
    let backend = Backend::new();
    backend.job_is(Phase::Succeeded);
    let service = TestService::start(Config::default(), &backend);
    let mut client = SyncAgentServiceClient::new(service.channel().await);
    let part = |part| ExecuteTaskSyncRequest { part: Some(part) };
    let begin = || part(Part::Header(header("call")));
    let inputs = || part(Part::Inputs(LiteralMap::default()));

    let sent = futures::stream::iter([begin(), inputs()]);
    let response = client.execute_task_sync(sent).await.expect("a stream");
    let first = response.into_inner().message().await.expect("no error").expect("a message");
    let Some(Res::Header(answer)) = first.res else {
        panic!("the first message is a header");
    };
    assert_eq!(answer.resource.expect("a resource").phase(), Phase::Succeeded);

    for (sent, reason) in [
        (vec![], "begins with a message whose part is header"),
        (vec![inputs()], "begins with a message whose part is header"),
        (vec![begin()], "needs a second message"),
    ] {
        let sent = futures::stream::iter(sent);
        let status = client.execute_task_sync(sent).await.expect_err(reason);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(reason), "{}", status.message());
    }
}

#[tokio::test]
async fn logs_come_as_a_header_with_the_token_and_a_body() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let handle = client.create_task(anonymous("job")).await.expect("a handle");
    let handle = handle.into_inner().resource_meta;
    state(&mut client, "job", &handle).await;
    let request = GetTaskLogsRequest {
        task_type: "job".to_owned(),
        resource_meta: handle,
        lines: 1,
        ..GetTaskLogsRequest::default()
    };
    let mut stream = client.get_task_logs(request).await.expect("a stream").into_inner();
    let mut parts = Vec::new();
    while let Some(response) = stream.message().await.expect("no error") {
        parts.extend(response.part);
    }
    let [get_task_logs_response::Part::Header(header), get_task_logs_response::Part::Body(body)] =
        parts.as_slice()
    else {
        panic!("a header and a body, not {parts:?}");
    };
    assert_eq!(header.token, "1");
    assert_eq!(body.structured_lines[0].message, "created");
}

#[tokio::test]
async fn connectors_are_listed_as_flytekit_lists_them() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = AgentMetadataServiceClient::new(service.channel().await);
    let response = client.list_agents(ListAgentsRequest {}).await.expect("a list");
    let agents = response.into_inner().agents;
    let listed: Vec<_> = agents
        .iter()
        .map(|agent| (agent.name.as_str(), agent.supported_task_types.join(" "), agent.is_sync))
        .collect();
    assert_eq!(listed[0], ("Sensor", "sensor".to_owned(), false));
    assert_eq!(listed[1], ("Webhook Connector", "webhook".to_owned(), true));
    assert_eq!(agents[0].supported_task_categories[0].name, "sensor");

    let known = GetAgentRequest { name: "Sensor".to_owned() };
    let agent = client.get_agent(known).await.expect("known").into_inner().agent;
    assert_eq!(agent.as_ref(), agents.first());
    let unknown = GetAgentRequest { name: "nobody".to_owned() };
    let status = client.get_agent(unknown).await.expect_err("unknown");
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "Cannot find connector for name: nobody.");
}

#[tokio::test]
async fn health_is_serving_under_the_names_of_flytekit() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = HealthClient::new(service.channel().await);
    let check = |name: &str| HealthCheckRequest { service: name.to_owned() };
    for name in SERVICE_NAMES {
        let response = client.check(check(name)).await.expect("known");
        assert_eq!(response.into_inner().status().as_str_name(), "SERVING", "{name:?}");
    }
    let status = client.check(check("nobody")).await.expect_err("unknown");
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn while_draining_health_is_not_serving_and_requests_under_way_are_finished() {
    let backend = Backend::new();
    backend.on_create(Does::Takes(Duration::from_secs(1), ()));
    let service = TestService::start(Config::default(), &backend);
    let channel = service.channel().await;
    let mut health = HealthClient::new(channel.clone());
    let mut client = AsyncAgentServiceClient::new(channel);
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = health.watch(request).await.expect("a stream").into_inner();
    let status = |response: Option<tonic_health::pb::HealthCheckResponse>| {
        response.expect("a status").status().as_str_name()
    };
    assert_eq!(status(watch.message().await.expect("no error")), "SERVING");

    let create = tokio::spawn(async move { client.create_task(anonymous("job")).await });
    sleep(Duration::from_millis(50)).await;
    let stop = tokio::spawn(service.stop());
    assert_eq!(status(watch.message().await.expect("no error")), "NOT_SERVING");
    drop(watch);
    create.await.expect("no panic").expect("the create is finished");
    stop.await.expect("no panic").expect("a clean stop");
}

#[tokio::test]
async fn the_services_are_described_by_reflection() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = ServerReflectionClient::new(service.channel().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let sent = futures::stream::iter([request]);
    let mut stream = client.server_reflection_info(sent).await.expect("a stream").into_inner();
    let response = stream.message().await.expect("no error").expect("a message");
    let Some(MessageResponse::ListServicesResponse(list)) = response.message_response else {
        panic!("a list of services");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in SERVICE_NAMES.iter().filter(|name| !name.is_empty()) {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    assert!(!names.contains(&"flightdeck.v1.AdminService"), "it is not served here");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_service_goes_on() {
    let service = TestService::start(Config::default(), &Backend::new());
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let huge = Bytes::from(vec![b'x'; 5 << 20]);
    let status = client.get_task(get("job", &huge)).await.expect_err("too large");
    assert_eq!(status.code(), Code::OutOfRange);
    let large = Bytes::from(vec![b'x'; 3 << 20]);
    let status = client.get_task(get("job", &large)).await.expect_err("no handle");
    assert_eq!(status.code(), Code::InvalidArgument);
    client.create_task(anonymous("job")).await.expect("the service goes on");
}

#[tokio::test]
async fn ipv6_and_ipv4_reach_the_one_port() {
    let mut config = Config::default();
    config.server.port = 0;
    config.metrics.port = 0;
    assert_eq!(config.server.host, IpAddr::V6(Ipv6Addr::UNSPECIFIED), "the default");
    let service = TestService::start_as_is(config, &Backend::new());
    let port = service.grpc.port();
    let mut hosts = vec!["127.0.0.1"];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        hosts.push("[::1]");
    }
    for host in hosts {
        let uri = format!("http://{host}:{port}");
        let channel = tonic::transport::Endpoint::from_shared(uri).expect("an address");
        let channel = channel.connect().await.expect(host);
        let mut client = AgentMetadataServiceClient::new(channel);
        client.list_agents(ListAgentsRequest {}).await.expect(host);
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut config = Config::default();
    config.server.host = IpAddr::from([127, 0, 0, 1]);
    config.server.port = taken.local_addr().expect("an address").port();
    config.metrics.port = 0;
    let connectors = flightdeck::connectors::builtin(&config).expect("connectors");
    let world = crate::common::service::world();
    let bound = flightdeck::server::Service::bind(config, connectors.into(), world);
    let error = bound.err().expect("the port is taken").to_string();
    assert!(error.contains("server.port"), "{error}");
}

#[tokio::test]
async fn requests_are_counted_as_flytekit_counts_them() {
    let backend = Backend::new();
    let service = TestService::start(Config::default(), &backend);
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let directory = tempfile::tempdir().expect("a directory");
    let request = file_sensor(&directory.path().join("ready"));
    let size = request.inputs.as_ref().map_or(0, Message::encoded_len);
    let handle = client.create_task(request).await.expect("a handle").into_inner().resource_meta;
    state(&mut client, "sensor", &handle).await;
    client.delete_task(delete("sensor", &handle)).await.expect("OK");
    client.get_task(get("nobody", &handle)).await.expect_err("unknown");
    backend.on_create(Does::Fails(ConnectorError::permanent("no")));
    client.create_task(anonymous("job")).await.expect_err("refused");

    for path in ["/metrics", "/"] {
        let text = service.scrape(path).await;
        for line in [
            "# TYPE flyte_connector_requests_success_total counter",
            "flyte_connector_requests_success_total{operation=\"create\",task_type=\"sensor\"} 1",
            "flyte_connector_requests_success_total{operation=\"get\",task_type=\"sensor\"} 1",
            "flyte_connector_requests_success_total{operation=\"delete\",task_type=\"sensor\"} 1",
            "flyte_connector_requests_failure_total{error_code=\"404\",operation=\"get\",task_type=\"nobody\"} 1",
            "flyte_connector_requests_failure_total{error_code=\"500\",operation=\"create\",task_type=\"job\"} 1",
            "# TYPE flyte_connector_request_latency_seconds summary",
            "flyte_connector_request_latency_seconds_count{operation=\"get\",task_type=\"nobody\"} 1",
            "# TYPE flyte_connector_input_literal_bytes summary",
            "flyte_connector_input_literal_bytes_count{task_type=\"job\"} 1",
            &format!("flyte_connector_input_literal_bytes_sum{{task_type=\"sensor\"}} {size}"),
            "flightdeck_tasks{phase=\"RUNNING\",task_type=\"sensor\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line:?} in {path}:\n{text}");
        }
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_gets_deadline_exceeded_and_the_create_goes_on() {
    let backend = Backend::new();
    backend.on_create(Does::Takes(Duration::from_millis(500), ()));
    let service = TestService::start(Config::default(), &backend);
    let mut client = AsyncAgentServiceClient::new(service.channel().await);
    let mut hasty = Request::new(crate::common::requests::create("job", "s3://b/n0/0", 0));
    hasty.set_timeout(Duration::from_millis(50));
    let status = client.create_task(hasty).await.expect_err("too late");
    assert!(matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded), "{status}");
    let begun = Instant::now();
    while backend.created().is_empty() {
        assert!(begun.elapsed() < LIMIT, "the create was interrupted");
        sleep(Duration::from_millis(10)).await;
    }
}
