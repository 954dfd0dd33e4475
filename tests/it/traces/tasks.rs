//! The trace of a task.

use std::time::Duration;

use flightdeck::{
    config::HandleFormat,
    connector::{ConnectorError, Phase},
    wire::flyteidl::{
        admin::{ExecuteTaskSyncRequest, execute_task_sync_request::Part},
        core::LiteralMap,
        service::sync_agent_service_client::SyncAgentServiceClient,
    },
};
use tokio::time::{Instant, sleep};

use super::{Traced, quick, root, told};
use crate::common::{
    backend::{Backend, Does},
    collector::Collector,
    requests::{anonymous, create, header},
    service::LIMIT,
};

/// Waits until the backend was polled so often.
async fn polled(backend: &Backend, times: usize) {
    let begun = Instant::now();
    while backend.gets().len() < times {
        assert!(begun.elapsed() < LIMIT, "it is not polled");
        sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_task_has_one_trace_in_which_unchanged_polls_are_no_spans() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let prefix = "s3://flyte/f1/n0/data/0";
    let handle = service.create(create("job", prefix, 2)).await;
    polled(&backend, 5).await;
    backend.on_get(Does::Fails(ConnectorError::transient("503 from the backend")));
    let before = backend.gets().len();
    polled(&backend, before + 2).await;
    backend.job_is(Phase::Succeeded);
    service.until("job", &handle, Phase::Succeeded).await;
    service.delete("job", &handle).await;
    service.stop().await;

    let spans = collector.spans();
    let root = root(&spans);
    assert_eq!(root.parent, "", "a trace of its own");
    assert_eq!(root.end - root.start, 1_000, "exactly 1 us");
    let names = told(&spans, &root.trace);
    assert_eq!(names[..3], ["create", "first poll", "phase change"]);
    assert!(names[3..names.len() - 2].iter().all(|name| name == "failed poll"), "{names:?}");
    assert!(names.len() > 5, "{names:?}");
    assert_eq!(names[names.len() - 2..], ["phase change", "end"]);
    for span in spans.iter().filter(|span| span.trace == root.trace && span.id != root.id) {
        assert_eq!(span.parent, root.id, "a direct child: {span:?}");
        assert!(span.start >= root.start && span.end - span.start >= 2_000, "{span:?}");
    }
    for (name, value) in [
        ("flyte.project", "flytesnacks"),
        ("flyte.domain", "development"),
        ("flyte.execution", "f1"),
        ("flyte.node", "n0"),
        ("flyte.attempt", "2"),
        ("flyte.output_prefix", prefix),
        ("flyte.task_type", "job"),
        ("flightdeck.connector", "Backend"),
    ] {
        assert_eq!(root.attribute(name), value, "{name}");
    }
    assert_eq!(root.attribute("flightdeck.task_id").len(), 36);
    let failed = spans.iter().find(|span| span.name == "failed poll").expect("there are some");
    assert_eq!(failed.error.as_deref(), Some("503 from the backend"));
    assert_eq!(failed.attribute("flyte.phase"), "RUNNING");
    let end = spans.iter().find(|span| span.name == "end").expect("an end");
    assert_eq!((end.start, end.attribute("flyte.phase")), (root.start, "SUCCEEDED"));
    assert_eq!(end.error, None);
}

#[tokio::test]
async fn the_resource_names_the_service_its_version_and_its_instance() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    service.create(anonymous("job")).await;
    service.stop().await;
    let spans = collector.spans();
    let resource = &root(&spans).resource;
    assert_eq!(resource["service.name"], "flightdeck");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(resource["service.instance.id"].len(), 36);
}

#[tokio::test]
async fn after_a_restart_a_task_goes_on_in_its_trace() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut first = Traced::start(quick(), &backend, &collector).await;
    let handle = first.create(create("job", "s3://b/0", 0)).await;
    first.until("job", &handle, Phase::Running).await;
    first.stop().await;
    // A replica that samples nothing by itself.
    let mut config = quick();
    config.traces.sample_ratio = Some(0.0);
    let mut second = Traced::start(config, &backend, &collector).await;
    second.until("job", &handle, Phase::Running).await;
    second.delete("job", &handle).await;
    second.stop().await;

    let spans = collector.spans();
    let root = root(&spans);
    let names = told(&spans, &root.trace);
    assert_eq!(names, ["create", "first poll", "phase change", "first poll", "delete", "end"]);
    let of_task = spans.iter().filter(|span| span.trace == root.trace);
    let mut instances: Vec<_> =
        of_task.clone().map(|span| &span.resource["service.instance.id"]).collect();
    instances.dedup();
    assert_eq!(instances.len(), 2);
    assert!(of_task.clone().all(|span| span.start >= root.start));
}

#[tokio::test]
async fn a_plain_handle_carries_no_trace_so_a_restart_begins_another() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut config = quick();
    config.tasks.handle = HandleFormat::Plain;
    let mut first = Traced::start(config.clone(), &backend, &collector).await;
    let meta = first.create(create("job", "s3://b/0", 0)).await;
    first.until("job", &meta, Phase::Running).await;
    first.stop().await;
    let mut second = Traced::start(config, &backend, &collector).await;
    second.until("job", &meta, Phase::Running).await;
    second.stop().await;
    let spans = collector.spans();
    let roots: Vec<_> = spans.iter().filter(|span| span.name == "task").collect();
    assert_eq!(roots.len(), 2);
    assert_ne!(roots[0].trace, roots[1].trace);
    assert_eq!(told(&spans, &roots[1].trace), ["first poll"]);
    assert_eq!(roots[0].links.len(), 1);
    assert_eq!(roots[1].links.len(), 1, "the Get that took it over");
}

#[tokio::test]
async fn a_task_that_is_deleted_has_its_delete_and_its_end() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    service.until("job", &handle, Phase::Running).await;
    service.delete("job", &handle).await;
    service.delete("job", &handle).await;
    service.stop().await;
    let spans = collector.spans();
    let names = told(&spans, &root(&spans).trace);
    assert_eq!(names, ["create", "first poll", "phase change", "delete", "end"]);
}

#[tokio::test]
async fn a_create_that_fails_is_found_with_its_cause() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    backend.on_create(Does::Fails(ConnectorError::invalid("no such warehouse")));
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let refused = service.tasks.create_task(create("job", "s3://b/0", 0)).await;
    refused.expect_err("it is refused");
    service.stop().await;
    let spans = collector.spans();
    let span = spans.iter().find(|span| span.name == "create").expect("a create");
    assert_eq!(span.parent, root(&spans).id);
    assert!(span.error.as_ref().is_some_and(|error| error.contains("no such warehouse")));
}

#[tokio::test]
async fn an_end_of_our_own_making_is_an_error_and_its_delete_follows() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    service.until("job", &handle, Phase::Running).await;
    backend.on_get(Does::Fails(ConnectorError::permanent("the job was lost")));
    service.until("job", &handle, Phase::Failed).await;
    let begun = Instant::now();
    while backend.deleted() == 0 {
        assert!(begun.elapsed() < LIMIT, "it is not deleted");
        sleep(Duration::from_millis(5)).await;
    }
    service.stop().await;
    let spans = collector.spans();
    let names = told(&spans, &root(&spans).trace);
    for name in ["failed poll", "end", "delete"] {
        assert_eq!(names.iter().filter(|told| *told == name).count(), 1, "{name} in {names:?}");
    }
    let end = spans.iter().find(|span| span.name == "end").expect("an end");
    assert_eq!(end.error.as_deref(), Some("the job was lost"));
    assert_eq!(end.attribute("flyte.phase"), "FAILED");
}

#[tokio::test]
async fn sync_tasks_have_traces_too() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    backend.job_is(Phase::Succeeded);
    let service = Traced::start(quick(), &backend, &collector).await;
    let mut client = SyncAgentServiceClient::new(service.service.channel().await);
    let part = |part| ExecuteTaskSyncRequest { part: Some(part) };
    let parts = [part(Part::Header(header("call"))), part(Part::Inputs(LiteralMap::default()))];
    let replies = client.execute_task_sync(futures::stream::iter(parts)).await;
    let mut replies = replies.expect("a stream").into_inner();
    while replies.message().await.expect("no error").is_some() {}
    drop(client);
    service.stop().await;
    let spans = collector.spans();
    let root = root(&spans);
    assert_eq!(told(&spans, &root.trace), ["first poll", "phase change", "end"]);
    let request = spans.iter().find(|span| span.is_server).expect("the request");
    assert_eq!(request.links, [root.context()]);
    assert_eq!(root.links, [request.context()]);
}

#[tokio::test]
async fn nothing_of_the_inputs_is_in_a_trace() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let mut request = create("job", "s3://b/0", 0);
    let secret = flightdeck::wire::literal::string("hunter2");
    request.inputs = Some(LiteralMap { literals: [("password".to_owned(), secret)].into() });
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert("authorization", "Bearer hunter2".parse().expect("ASCII"));
    let handle = service.create(request).await;
    service.until("job", &handle, Phase::Running).await;
    service.stop().await;
    root(&collector.spans());
    let bytes = collector.bytes();
    for secret in ["hunter2", "password", "authorization"] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[tokio::test]
async fn over_http_it_is_the_same() {
    let (collector, backend) = (Collector::start_http().await, Backend::new());
    let mut config = quick();
    config.traces.protocol = Some(flightdeck::config::TraceProtocol::Http);
    let mut service = Traced::start(config, &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    service.until("job", &handle, Phase::Running).await;
    service.stop().await;
    let spans = collector.spans();
    assert_eq!(told(&spans, &root(&spans).trace), ["create", "first poll", "phase change"]);
}
