//! Traces on their way out: with a connector's requests, and in its own spans.

use std::sync::{Arc, Mutex};

use flightdeck::{
    config::Upstream,
    connector::{
        AsyncConnector, Connector, ConnectorError, JsonMeta, Phase, Resource, TaskCategory,
        TaskRequest,
    },
    supervisor::{Tasks, World},
    telemetry::{Metrics, Traces, inject_trace, logs::connector_spans},
};
use http::HeaderMap;
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use prost_types::{Struct, Value, value::Kind};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

use super::{Traced, quick, root};
use crate::{
    common::{
        backend::Backend,
        collector::Collector,
        requests::{anonymous, create, query},
    },
    upstream::server::{FakeUpstream, agent},
};

/// The header that belongs to a trace and its root.
fn traceparent(trace: &str, root: &str) -> String {
    format!("00-{trace}-{root}-01")
}

#[tokio::test]
async fn a_webhooks_request_carries_its_tasks_trace() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/unguessable", listener.local_addr().expect("an address"));
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.expect("written");
        String::from_utf8_lossy(&head[..length]).to_lowercase()
    });
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(quick(), &backend, &collector).await;
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let mut request = anonymous("webhook");
    request.template.get_or_insert_default().custom = Some(Struct {
        fields: [("url", text(&url)), ("method", text("GET"))]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
    });
    let handle = service.create(request).await;
    service.until("webhook", &handle, Phase::Succeeded).await;
    service.stop().await;
    let spans = collector.spans();
    let root = root(&spans);
    let head = received.await.expect("no panic");
    let header = format!("traceparent: {}", traceparent(&root.trace, &root.id));
    assert!(head.contains(&header), "{head}");
    assert!(
        !spans
            .iter()
            .any(|span| span.attributes.values().any(|value| value.contains("unguessable")))
    );
}

#[tokio::test]
async fn calls_of_an_upstream_carry_their_tasks_trace() {
    let upstream = FakeUpstream::start(vec![agent("Python", &["py"], false)]).await;
    let mut config = quick();
    config.upstream = vec![Upstream {
        name: "python".to_owned(),
        endpoint: Some(upstream.address.to_string().parse().expect("an address")),
        ..Upstream::default()
    }];
    let (collector, backend) = (Collector::start().await, Backend::new());
    let mut service = Traced::start(config, &backend, &collector).await;
    let handle = service.create(anonymous("py")).await;
    service.until("py", &handle, Phase::Running).await;
    service.delete("py", &handle).await;
    service.stop().await;
    let spans = collector.spans();
    let root = root(&spans);
    let carried = upstream.with(|script| script.traces.clone());
    assert!(carried.len() >= 3, "a create, a get, a delete: {carried:?}");
    let expected = traceparent(&root.trace, &root.id);
    assert!(carried.iter().all(|header| *header == expected), "{carried:?} is not {expected}");
}

/// The meta of [`Author`]'s jobs.
#[derive(Serialize, Deserialize)]
struct Nothing {}

impl JsonMeta for Nothing {}

/// A connector whose author uses `tracing`, and sends requests.
struct Author(Arc<Mutex<Vec<HeaderMap>>>);

impl Author {
    fn send(&self) {
        let mut headers = HeaderMap::new();
        inject_trace(&mut headers);
        self.0.lock().expect("no panic holds it").push(headers);
    }
}

impl AsyncConnector for Author {
    type Meta = Nothing;

    fn name(&self) -> &str {
        "Author"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("authored")]
    }

    async fn create(&self, _task: &TaskRequest) -> Result<Nothing, ConnectorError> {
        let submit = async {
            tokio::task::yield_now().await;
            async { self.send() }.instrument(info_span!("inner")).await;
        };
        submit.instrument(info_span!("submit", warehouse = "w1")).await;
        Ok(Nothing {})
    }

    async fn get(&self, _meta: &Nothing) -> Result<Resource, ConnectorError> {
        self.send();
        Ok(Resource::new(Phase::Running))
    }

    async fn delete(&self, _meta: &Nothing) -> Result<(), ConnectorError> {
        Ok(())
    }
}

#[tokio::test]
async fn spans_that_a_connectors_author_makes_are_in_the_trace_of_the_task() {
    let collector = Collector::start().await;
    let mut config = quick();
    config.traces.endpoint = Some(collector.url());
    let world = World::real();
    let traces = Traces::start(&config.traces, world.trace_ids()).expect("traces");
    let subscriber = tracing_subscriber::registry().with(connector_spans(&traces));
    let _default = tracing::subscriber::set_default(subscriber);
    let sent = Arc::default();
    let connectors = flightdeck::connectors::builtin(&config).expect("connectors");
    connectors.register(Connector::from_async(Author(Arc::clone(&sent)))).expect("a free type");
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let tasks =
        Tasks::start_traced(&config, Arc::new(connectors), metrics, world, traces.clone()).await;
    let tasks = tasks.expect("a supervisor");

    // What the server has around a handler: the span of the request.
    let request = SpanContext::new(
        TraceId::from(7u128),
        SpanId::from(8u64),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    let context = Context::new().with_remote_span_context(request);
    let creation = tasks.create(create("authored", "s3://b/0", 0));
    let creation = opentelemetry::trace::FutureExt::with_context(creation, context);
    let handle = creation.await.expect("a handle");
    let state = tasks.get(query("authored", &handle)).await.expect("a state");
    assert_eq!(state.phase(), Phase::Running);
    tasks.stop();
    traces.stop().await;

    let spans = collector.spans();
    let root = root(&spans);
    let find = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
    let (submit, inner) = (find("submit"), find("inner"));
    assert_eq!((&submit.trace, &submit.parent), (&root.trace, &root.id));
    assert_eq!(submit.attribute("warehouse"), "w1");
    assert_eq!((&inner.trace, &inner.parent), (&root.trace, &submit.id));
    assert!(!spans.iter().any(|span| span.name == "call"), "ours is for the log");
    let sent = sent.lock().expect("no panic holds it");
    let parents: Vec<_> =
        sent.iter().map(|headers| headers["traceparent"].to_str().expect("ASCII")).collect();
    assert_eq!(parents[0], traceparent(&root.trace, &inner.id), "of the span that is entered");
    assert_eq!(parents[1], traceparent(&root.trace, &root.id), "else of the task");
}
