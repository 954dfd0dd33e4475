//! Which tasks are traced, and the failures that always are.

use flightdeck::{
    connector::{ConnectorError, Phase},
    telemetry::TaskTrace,
    wire::handle::Handle,
};

use super::{Traced, quick, root, told, with_parent};
use crate::common::{
    backend::{Backend, Does},
    collector::Collector,
    requests::{create, get},
    service::TestService,
};

const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// A service that samples this part of the requests.
async fn sampling(ratio: f64, backend: &Backend, collector: &Collector) -> Traced {
    let mut config = quick();
    config.traces.sample_ratio = Some(ratio);
    Traced::start(config, backend, collector).await
}

#[tokio::test]
async fn a_task_that_is_not_sampled_leaves_no_span() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = sampling(0.0, &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    service.until("job", &handle, Phase::Running).await;
    backend.job_is(Phase::Succeeded);
    service.until("job", &handle, Phase::Succeeded).await;
    service.stop().await;
    assert!(collector.spans().is_empty());
}

#[tokio::test]
async fn the_callers_decision_goes_before_ours() {
    for (ratio, parent, is_traced) in [(0.0, SAMPLED, true), (1.0, UNSAMPLED, false)] {
        let (collector, backend) = (Collector::start().await, Backend::new());
        let mut service = sampling(ratio, &backend, &collector).await;
        let request = create("job", "s3://b/0", 0);
        let handle = service.create(with_parent(request, parent)).await;
        let request = get("job", &handle);
        service.phase(with_parent(request, parent)).await;
        service.stop().await;
        let spans = collector.spans();
        if is_traced {
            assert_eq!(told(&spans, &root(&spans).trace), ["create", "first poll", "phase change"]);
        } else {
            assert!(spans.is_empty(), "{spans:#?}");
        }
    }
}

#[tokio::test]
async fn a_ratio_samples_about_that_part_and_each_trace_is_whole_or_absent() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = sampling(0.5, &backend, &collector).await;
    let mut sampled = 0;
    for n in 0..100 {
        let handle = service.create(create("job", &format!("s3://b/{n}"), 0)).await;
        let handle = Handle::decode(&handle).expect("a handle").expect("an envelope");
        let trace = TaskTrace::decode(&handle.trace_context).expect("each has a trace");
        sampled += usize::from(trace.is_sampled());
    }
    service.stop().await;
    let spans = collector.spans();
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("task"), count("create")), (sampled, sampled));
    assert!((20..80).contains(&sampled), "{sampled} of 100");
}

#[tokio::test]
async fn a_failure_is_found_though_its_trace_was_not_sampled() {
    for phase in [Phase::Failed, Phase::RetryableFailed] {
        let (collector, backend) = (Collector::start().await, Backend::new());
        let mut service = sampling(0.0, &backend, &collector).await;
        let handle = service.create(create("job", "s3://b/0", 0)).await;
        service.until("job", &handle, Phase::Running).await;
        backend.job_is(phase);
        service.until("job", &handle, phase).await;
        assert_eq!(service.phase(get("job", &handle)).await, phase, "asked again");
        service.stop().await;
        let spans = collector.spans();
        let root = root(&spans);
        assert_eq!(root.attribute("flyte.execution"), "f1");
        assert_eq!(root.attribute("flyte.output_prefix"), "s3://b/0");
        assert!(root.links.is_empty(), "no request of it was sampled");
        let names = told(&spans, &root.trace);
        assert_eq!(names, ["create", "first poll", "phase change", "phase change", "end"]);
        let handle = Handle::decode(&handle).expect("a handle").expect("an envelope");
        let known = TaskTrace::decode(&handle.trace_context).and_then(|trace| trace.id());
        assert_eq!(known.map(|id| id.to_string()), Some(root.trace.clone()), "that of the logs");
    }
}

#[tokio::test]
async fn a_failure_of_our_own_making_is_found_with_its_history_and_its_delete() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = sampling(0.0, &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    service.until("job", &handle, Phase::Running).await;
    backend.on_get(Does::Fails(ConnectorError::permanent("the job was lost")));
    service.until("job", &handle, Phase::Failed).await;
    service.delete("job", &handle).await;
    service.stop().await;
    let spans = collector.spans();
    let mut names = told(&spans, &root(&spans).trace);
    names.sort_unstable();
    let expected =
        ["create", "delete", "end", "failed poll", "first poll", "phase change", "phase change"];
    assert_eq!(names, expected);
    let failed = spans.iter().find(|span| span.name == "failed poll").expect("it is told");
    assert_eq!(failed.error.as_deref(), Some("the job was lost"));
}

#[tokio::test]
async fn failures_are_left_alone_where_the_setting_says_so() {
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut config = quick();
    config.traces.sample_ratio = Some(0.0);
    config.traces.failures = false;
    let mut service = Traced::start(config, &backend, &collector).await;
    let handle = service.create(create("job", "s3://b/0", 0)).await;
    backend.job_is(Phase::Failed);
    service.until("job", &handle, Phase::Failed).await;
    service.stop().await;
    assert!(collector.spans().is_empty());
}

#[tokio::test]
async fn without_an_endpoint_there_are_no_traces_and_handles_carry_none() {
    let backend = Backend::new();
    let service = TestService::start_traced(quick(), &backend);
    let tasks = super::AsyncAgentServiceClient::new(service.channel().await);
    let mut traced = Traced { service, tasks };
    let handle = traced.create(create("job", "s3://b/0", 0)).await;
    let handle = Handle::decode(&handle).expect("a handle").expect("an envelope");
    assert!(handle.trace_context.is_empty());
    let scrape = traced.service.scrape("/metrics").await;
    assert!(!scrape.contains("flightdeck_spans"), "no exporter");
    traced.stop().await;
}
