//! A collector of traces: OTLP over gRPC and over HTTP, on loopback.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode as SpanCode},
};
use prost::Message;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use super::service::LIMIT;

/// What the collector does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Refuses,
    /// It takes what it is sent, after this time.
    Slow(Duration),
    Hangs,
}

/// Attributes by their names, as text.
pub type Attributes = BTreeMap<String, String>;

/// A span that was taken, in a form that is easy to look at.
#[derive(Debug, Clone)]
pub struct Taken {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for a root.
    pub parent: String,
    pub links: Vec<(String, String)>,
    pub start: u64,
    pub end: u64,
    pub is_server: bool,
    pub attributes: Attributes,
    /// The description, if it is an error.
    pub error: Option<String>,
    pub resource: Attributes,
}

impl Taken {
    /// The trace and the span, as a link has them.
    pub fn context(&self) -> (String, String) {
        (self.trace.clone(), self.id.clone())
    }

    /// The value of an attribute, or nothing.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// A collector, until it is dropped.
pub struct Collector {
    pub address: SocketAddr,
    books: Books,
    _servers: JoinSet<()>,
}

#[derive(Clone)]
struct Books(Arc<Mutex<Pages>>);

struct Pages {
    mood: Mood,
    requests: Vec<ExportTraceServiceRequest>,
}

impl Collector {
    /// One that takes everything, over gRPC.
    pub async fn start() -> Self {
        let (listener, address, books) = Self::open().await;
        let service = TraceServiceServer::new(books.clone());
        let mut servers = JoinSet::new();
        servers.spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .expect("it serves");
        });
        Self { address, books, _servers: servers }
    }

    /// The same over HTTP.
    pub async fn start_http() -> Self {
        let (listener, address, books) = Self::open().await;
        let routes = Router::new().route("/v1/traces", post(take)).with_state(books.clone());
        let mut servers = JoinSet::new();
        servers.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { address, books, _servers: servers }
    }

    async fn open() -> (TcpListener, SocketAddr, Books) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let pages = Pages { mood: Mood::Takes, requests: Vec::new() };
        (listener, address, Books(Arc::new(Mutex::new(pages))))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_mood(&self, mood: Mood) {
        self.books.with(|pages| pages.mood = mood);
    }

    /// Every span, in the order in which they came.
    pub fn spans(&self) -> Vec<Taken> {
        self.books.with(|pages| pages.requests.iter().flat_map(spans).collect())
    }

    /// The bytes of all that came.
    pub fn bytes(&self) -> Vec<u8> {
        self.books.with(|pages| pages.requests.iter().flat_map(Message::encode_to_vec).collect())
    }

    /// Waits until what came is as wanted.
    pub async fn until(&self, wanted: impl Fn(&[Taken]) -> bool) -> Vec<Taken> {
        let begun = Instant::now();
        loop {
            let spans = self.spans();
            if wanted(&spans) {
                return spans;
            }
            assert!(begun.elapsed() < LIMIT, "{spans:#?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Books {
    fn with<T>(&self, act: impl FnOnce(&mut Pages) -> T) -> T {
        act(&mut self.0.lock().expect("no test panics while it holds the books"))
    }

    async fn enter(&self, request: ExportTraceServiceRequest) -> Result<(), Status> {
        match self.with(|pages| pages.mood) {
            Mood::Takes => {
                self.with(|pages| pages.requests.push(request));
                Ok(())
            }
            Mood::Slow(time) => {
                sleep(time).await;
                self.with(|pages| pages.requests.push(request));
                Ok(())
            }
            Mood::Refuses => Err(Status::permission_denied("not from you")),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[tonic::async_trait]
impl TraceService for Books {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.enter(request.into_inner()).await?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn take(State(books): State<Books>, body: Bytes) -> (StatusCode, Vec<u8>) {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    match books.enter(request).await {
        Ok(()) => (StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec()),
        Err(_) => (StatusCode::FORBIDDEN, Vec::new()),
    }
}

fn spans(request: &ExportTraceServiceRequest) -> Vec<Taken> {
    let mut taken = Vec::new();
    for resource in &request.resource_spans {
        let described = resource.resource.as_ref().map(|resource| &resource.attributes);
        let described = described.map(|attributes| text(attributes)).unwrap_or_default();
        let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
        taken.extend(spans.map(|span| of(span, described.clone())));
    }
    taken
}

fn of(span: &Span, resource: Attributes) -> Taken {
    let status = span.status.clone().unwrap_or_default();
    let links = span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id)));
    Taken {
        name: span.name.clone(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: links.collect(),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        is_server: span.kind().as_str_name() == "SPAN_KIND_SERVER",
        attributes: text(&span.attributes),
        error: (status.code() == SpanCode::Error).then_some(status.message),
        resource,
    }
}

fn text(attributes: &[KeyValue]) -> Attributes {
    let value = |value: &Option<AnyValue>| match value.clone().and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.clone(), value(&pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
