//! The spans of requests.

use flightdeck::{
    connector::Phase,
    wire::flyteidl::{
        admin::ListAgentsRequest,
        service::agent_metadata_service_client::AgentMetadataServiceClient,
    },
};

use super::{Traced, quick, root, with_parent};
use crate::common::{
    backend::{Backend, Does},
    collector::Collector,
    requests::{anonymous, create, get},
};

const GET: &str = "flyteidl.service.AsyncAgentService/GetTask";
const CREATE: &str = "flyteidl.service.AsyncAgentService/CreateTask";
const DELETE: &str = "flyteidl.service.AsyncAgentService/DeleteTask";

#[tokio::test]
async fn each_request_is_a_server_span_linked_with_its_task() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    assert_eq!(service.create(create("job", "s3://b/0", 0)).await, handle);
    assert_eq!(service.phase(get("job", &handle)).await, Phase::Running);
    service.delete("job", &handle).await;
    service.stop().await;

    let spans = collector.spans();
    let root = root(&spans);
    let requests: Vec<_> = spans.iter().filter(|span| span.is_server).collect();
    let names: Vec<_> = requests.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, [CREATE, CREATE, GET, DELETE]);
    for span in &requests {
        assert_eq!(span.attribute("rpc.system.name"), "grpc");
        assert_eq!(span.attribute("rpc.method"), span.name);
        assert_eq!(span.attribute("rpc.response.status_code"), "OK");
        assert_eq!(span.attribute("flyte.execution"), "f1");
        assert_eq!(span.attribute("flightdeck.task_id"), root.attribute("flightdeck.task_id"));
        assert_eq!(span.error, None);
        assert_ne!(span.trace, root.trace, "a trace of its own");
        assert_eq!(span.links, [root.context()]);
    }
    assert_eq!(root.links, [requests[0].context()], "the Create that made it");
}

#[tokio::test]
async fn a_request_is_a_child_of_its_callers_span() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let parent = format!("00-{trace}-{span}-01");
    let handle = service.create(with_parent(anonymous("job"), &parent)).await;
    service.phase(with_parent(get("job", &handle), "nonsense")).await;
    service.stop().await;
    let spans = collector.spans();
    let created = spans.iter().find(|span| span.name == CREATE).expect("the Create");
    assert_eq!((created.trace.as_str(), created.parent.as_str()), (trace, span));
    assert_ne!(root(&spans).trace, trace, "the task outlives its caller's trace");
    let got = spans.iter().find(|span| span.name == GET).expect("the Get");
    assert_eq!(got.parent, "");
}

#[tokio::test]
async fn a_faults_status_is_an_error_and_a_callers_mistake_is_none() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    backend.on_create(Does::Panics);
    let mut service = Traced::start(quick(), &backend, &collector).await;
    service.tasks.create_task(anonymous("job")).await.expect_err("a panic");
    service.tasks.create_task(anonymous("nobody's")).await.expect_err("unknown");
    let mut metadata = AgentMetadataServiceClient::new(service.service.channel().await);
    metadata.list_agents(ListAgentsRequest {}).await.expect("a list");
    drop(metadata);
    service.stop().await;
    let spans = collector.spans();
    let requests: Vec<_> = spans.iter().filter(|span| span.is_server).collect();
    let status = |at: usize| requests[at].attribute("rpc.response.status_code");
    assert_eq!((status(0), status(1), status(2)), ("INTERNAL", "NOT_FOUND", "OK"));
    assert_eq!(requests[0].attribute("error.type"), "INTERNAL");
    let error = requests[0].error.as_deref().unwrap_or_default();
    assert!(error.contains("the connector has a bug"), "{error}");
    assert_eq!((&requests[1].error, requests[1].attribute("error.type")), (&None, ""));
    assert_eq!(requests[2].name, "flyteidl.service.AgentMetadataService/ListAgents");
}
