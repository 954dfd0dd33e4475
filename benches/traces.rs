//! What traces cost: the CPU of a GetTask without them, with one of a hundred
//! requests sampled, and with all of them, as ratios to a bare tonic handler of
//! the same messages.
//!
//! `cargo bench --bench traces [-- SECONDS]`: each service is a process of its
//! own, asked by the same client with 16 streams on one connection, in turn; the
//! collector is a real one, in this process.

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{Args, Process, row};
use flightdeck::wire::{
    flyteidl::{
        admin::{
            CreateTaskRequest, CreateTaskResponse, DeleteTaskRequest, DeleteTaskResponse,
            GetTaskLogsRequest, GetTaskLogsResponse, GetTaskMetricsRequest, GetTaskMetricsResponse,
            GetTaskRequest, GetTaskResponse, Resource, TaskCategory,
        },
        core::{
            LiteralMap, TaskTemplate, TypedInterface, Variable, VariableMap, task_execution::Phase,
        },
        service::{
            async_agent_service_client::AsyncAgentServiceClient,
            async_agent_service_server::{AsyncAgentService, AsyncAgentServiceServer},
        },
    },
    literal,
};
use futures::stream::Empty;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use prost_types::{Struct, Value, value::Kind};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};

/// How long each measurement takes.
const SECONDS: usize = 5;
/// Measurements of each service, in turn.
const ROUNDS: usize = 5;
const STREAMS: usize = 16;
const TASKS: usize = 100;
/// In the environment of a process of this bench that is the bare handler.
const BARE: &str = "TRACES_BENCH_BARE";

/// A service by its name, the part of its requests that is traced, and the
/// target for its CPU over that of the bare handler.
type Mode = (&'static str, Option<&'static str>, Option<f64>);

const MODES: [Mode; 3] = [
    ("without traces", None, None),
    ("1 % sampled", Some("0.01"), Some(1.15)),
    ("all sampled", Some("1.0"), Some(1.5)),
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    if std::env::var_os(BARE).is_some() {
        return runtime.block_on(bare());
    }
    let args = Args::parse(&[(SECONDS, 1)]);
    runtime.block_on(measure(Duration::from_secs(args.number(0) as u64)));
}

async fn measure(time: Duration) {
    let collector = Collector::start().await;
    let floor = Service::bare().await;
    let mut services = Vec::new();
    for (name, ratio, target) in MODES {
        services.push((name, target, Service::flightdeck(ratio, &collector).await));
    }
    let mut ratios = vec![Vec::new(); services.len()];
    for _ in 0..ROUNDS {
        let bare = floor.cpu_of_a_get(time).await;
        for ((_, _, service), ratios) in services.iter().zip(&mut ratios) {
            ratios.push(service.cpu_of_a_get(time).await / bare);
        }
    }
    println!("{:<32} {:>10} {:>10}  met", "CPU of a Get over the floor", "measured", "target");
    for ((name, target, _), ratios) in services.iter().zip(&mut ratios) {
        ratios.sort_by(f64::total_cmp);
        row(name, ratios[ratios.len() / 2], *target);
    }
    println!("the collector took {} spans", collector.0.load(Relaxed));
}

/// Counts the spans that it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<AtomicUsize>, u16);

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let collector = Self(Arc::default(), port);
        let service = TraceServiceServer::new(collector.clone());
        let serve = Server::builder().add_service(service);
        tokio::spawn(serve.serve_with_incoming(TcpListenerStream::new(listener)));
        collector
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|spans| &spans.scope_spans);
        self.0.fetch_add(scopes.map(|scope| scope.spans.len()).sum(), Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A service as a process, and tasks of it; ended when it is dropped.
struct Service {
    child: Child,
    channel: Channel,
    handles: Vec<Bytes>,
}

impl Service {
    async fn bare() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this bench"));
        Self::start(command.env(BARE, "1")).await
    }

    async fn flightdeck(ratio: Option<&str>, collector: &Collector) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.args(["serve", "--worker", "2", "--port", "0", "--prometheus-port", "0"]);
        command.env("FLIGHTDECK_ADMIN__ENABLED", "false");
        if let Some(ratio) = ratio {
            let url = format!("http://127.0.0.1:{}", collector.1);
            command.env("FLIGHTDECK_TRACES__ENDPOINT", url);
            command.env("FLIGHTDECK_TRACES__SAMPLE_RATIO", ratio);
        }
        Self::start(&mut command).await
    }

    async fn start(command: &mut Command) -> Self {
        let command = command.env("FLIGHTDECK_SERVER__HOST", "127.0.0.1");
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("grpc="));
        let line = line.expect("it tells its address");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let (_, rest) = line.split_once("grpc=").expect("an address");
        let address = rest.split_whitespace().next().expect("an address");
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URI");
        let channel = endpoint.connect().await.expect("it listens");
        let mut tasks = AsyncAgentServiceClient::new(channel.clone());
        let mut handles = Vec::new();
        for _ in 0..TASKS {
            let created = tasks.create_task(sensor()).await.expect("a handle");
            handles.push(created.into_inner().resource_meta);
        }
        Self { child, channel, handles }
    }

    /// The CPU time of one Get, in seconds.
    async fn cpu_of_a_get(&self, time: Duration) -> f64 {
        self.ask(time / 4).await;
        let id = self.child.id().to_string();
        let before = Process::of(&id).cpu;
        let gets = self.ask(time).await;
        (Process::of(&id).cpu - before).as_secs_f64() / gets as f64
    }

    /// Asks about the tasks for a time: how often.
    async fn ask(&self, time: Duration) -> usize {
        let until = Instant::now() + time;
        let mut streams = JoinSet::new();
        for stream in 0..STREAMS {
            let mut tasks = AsyncAgentServiceClient::new(self.channel.clone());
            let handles: Vec<_> =
                self.handles.iter().skip(stream).step_by(STREAMS).map(get).collect();
            streams.spawn(async move {
                let mut gets = 0;
                for request in handles.iter().cycle() {
                    if Instant::now() >= until {
                        break;
                    }
                    let reply = tasks.get_task(request.clone()).await.expect("a state");
                    let resource = reply.into_inner().resource.expect("a resource");
                    assert_eq!(resource.phase(), Phase::Running);
                    gets += 1;
                }
                gets
            });
        }
        streams.join_all().await.into_iter().sum()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Create of a sensor that waits for ever.
fn sensor() -> CreateTaskRequest {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let custom = [
        ("sensor_module", text("flytekit.sensor.file_sensor")),
        ("sensor_name", text("FileSensor")),
    ];
    let custom = custom.map(|(key, value)| (key.to_owned(), value));
    let inputs = VariableMap { variables: [("path".to_owned(), Variable::default())].into() };
    let path = literal::string("/nowhere/at/all");
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: "sensor".to_owned(),
            custom: Some(Struct { fields: custom.into() }),
            interface: Some(TypedInterface { inputs: Some(inputs), outputs: None }),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap { literals: [("path".to_owned(), path)].into() }),
        ..CreateTaskRequest::default()
    }
}

fn get(handle: &Bytes) -> GetTaskRequest {
    GetTaskRequest {
        task_category: Some(TaskCategory { name: "sensor".to_owned(), version: 0 }),
        resource_meta: handle.clone(),
        ..GetTaskRequest::default()
    }
}

/// The floor: a tonic server whose handlers answer with the same messages and
/// do nothing else.
async fn bare() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address"));
    let incoming = incoming.expect("a port").with_nodelay(Some(true));
    eprintln!("grpc={}", incoming.local_addr().expect("an address"));
    let server = Server::builder().add_service(AsyncAgentServiceServer::new(Bare));
    server.serve_with_incoming(incoming).await.expect("it serves");
}

struct Bare;

#[tonic::async_trait]
impl AsyncAgentService for Bare {
    async fn create_task(
        &self,
        _request: Request<CreateTaskRequest>,
    ) -> Result<Response<CreateTaskResponse>, Status> {
        // As long as a handle.
        Ok(Response::new(CreateTaskResponse { resource_meta: Bytes::from(vec![7; 200]) }))
    }

    async fn get_task(
        &self,
        _request: Request<GetTaskRequest>,
    ) -> Result<Response<GetTaskResponse>, Status> {
        let resource = Resource { phase: Phase::Running.into(), ..Resource::default() };
        Ok(Response::new(GetTaskResponse { resource: Some(resource) }))
    }

    async fn delete_task(
        &self,
        _request: Request<DeleteTaskRequest>,
    ) -> Result<Response<DeleteTaskResponse>, Status> {
        Ok(Response::new(DeleteTaskResponse {}))
    }

    async fn get_task_metrics(
        &self,
        _request: Request<GetTaskMetricsRequest>,
    ) -> Result<Response<GetTaskMetricsResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    type GetTaskLogsStream = Empty<Result<GetTaskLogsResponse, Status>>;

    async fn get_task_logs(
        &self,
        _request: Request<GetTaskLogsRequest>,
    ) -> Result<Response<Self::GetTaskLogsStream>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }
}
