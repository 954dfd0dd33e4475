//! What it costs, and brings, to put Flightdeck in front of Python sensors.
//!
//! `cargo bench --bench forwarding [-- SECONDS [SENSORS]]` needs flytekit's
//! `pyflyte` on `PATH`, and says so where it is absent. The same client asks
//! for the state of 100 Python sensors, of flytekit's service and of Flightdeck
//! in front of a worker, in turn; then so many sensors are polled every second
//! by one and by two workers.

mod common;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use common::{Args, Lateness, Process};
use flightdeck::wire::{
    flyteidl::{
        admin::{CreateTaskRequest, GetTaskRequest, ListAgentsRequest, TaskCategory},
        core::{
            LiteralMap, LiteralType, SimpleType, TaskTemplate, TypedInterface, Variable,
            VariableMap, literal_type,
        },
        service::{
            agent_metadata_service_client::AgentMetadataServiceClient,
            async_agent_service_client::AsyncAgentServiceClient,
        },
    },
    literal,
};
use hdrhistogram::Histogram;
use prost_types::{Struct, Value, value::Kind};
use tokio::{task::JoinSet, time::sleep};
use tonic::transport::Channel;

/// How long each measurement takes.
const SECONDS: usize = 5;
/// Sensors that are polled.
const SENSORS: usize = 4_000;
/// Measurements of each service, in turn.
const ROUNDS: usize = 3;
/// Sensors that are asked about.
const ASKED: usize = 100;
/// Gets at once.
const STREAMS: usize = 16;
/// How long a service may take until it answers.
const LIMIT: Duration = Duration::from_secs(60);

const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python");

fn main() {
    let args = Args::parse(&[(SECONDS, 1), (SENSORS, 100)]);
    let measured = Duration::from_secs(args.number(0) as u64);
    if Command::new("pyflyte").arg("--version").output().is_err() {
        println!("nothing was measured: there is no pyflyte on PATH (pip install flytekit)");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        gets(measured).await;
        for workers in [1, 2] {
            polls(workers, args.number(1), measured).await;
        }
    });
}

/// Gets of flytekit's service and of Flightdeck, in turn.
async fn gets(measured: Duration) {
    let services = [Service::flytekit().await, Service::flightdeck(1).await];
    let mut asked = Vec::new();
    for service in &services {
        asked.push(service.create(ASKED).await);
    }
    println!(
        "{:<22} {:>10} {:>14} {:>10} {:>10}",
        "Gets of", "per s", "CPU a Get, us", "p50, ms", "p99, ms"
    );
    for round in 0..ROUNDS {
        for (service, handles) in services.iter().zip(&asked) {
            let cpu = Process::of(&service.id()).cpu;
            let times = service.ask(handles, measured).await;
            let cpu = (Process::of(&service.id()).cpu - cpu).as_secs_f64();
            let millis = |quantile| times.value_at_quantile(quantile) as f64 / 1e3;
            println!(
                "{:<22} {:>10.0} {:>14.1} {:>10.2} {:>10.2}",
                format!("{} ({})", service.name, round + 1),
                times.len() as f64 / measured.as_secs_f64(),
                cpu * 1e6 / times.len() as f64,
                millis(0.5),
                millis(0.99),
            );
        }
    }
}

/// Polls of sensors by so many workers.
async fn polls(workers: usize, sensors: usize, measured: Duration) {
    let service = Service::flightdeck(workers).await;
    service.create(sensors).await;
    // The quick first polls are over, and a backlog has built up if it will.
    sleep(Duration::from_secs(5).min(4 * measured)).await;
    let before = (service.scrape().await, Process::of(&service.id()).cpu, Instant::now());
    sleep(measured).await;
    let after = service.scrape().await;
    let passed = before.2.elapsed().as_secs_f64();
    let cpu = (Process::of(&service.id()).cpu - before.1).as_secs_f64();
    let lateness = Lateness::read(&after) - Lateness::read(&before.0);
    let polls = polled(&after) - polled(&before.0);
    println!(
        "{sensors} sensors every second, {workers} worker(s): {:.0} polls/s, late by p50 {:.0} ms, \
         p99 {:.0} ms; Flightdeck's CPU {:.0} us a poll",
        polls / passed,
        lateness.quantile(0.5) * 1e3,
        lateness.quantile(0.99) * 1e3,
        cpu * 1e6 / polls,
    );
}

/// The polls of sensors that a scrape counts.
fn polled(scrape: &str) -> f64 {
    let line = scrape
        .lines()
        .find(|line| line.starts_with("flightdeck_polls_total{task_type=\"sensor\"}"));
    line.and_then(|line| line.rsplit_once(' '))
        .map_or(0.0, |(_, count)| count.parse().expect("a count"))
}

/// A service as a process, ended when it is dropped.
struct Service {
    name: &'static str,
    child: Child,
    channel: Channel,
    metrics: u16,
}

impl Service {
    async fn flytekit() -> Self {
        let (port, metrics) = (free_port(), free_port());
        let mut command = Command::new("pyflyte");
        command.args(["serve", "connector", "--modules", "never"]);
        command.args(["--port", &port.to_string(), "--prometheus_port", &metrics.to_string()]);
        Self::start("flytekit", command, port, metrics).await
    }

    async fn flightdeck(workers: usize) -> Self {
        let (port, metrics) = (free_port(), free_port());
        let config = std::env::temp_dir().join(format!("flightdeck-bench-{port}.toml"));
        let text = format!(
            "[admin]\nenabled = false\n[polling]\ninterval = \"1s\"\nfirst = []\n\
             [[upstream]]\nname = \"python\"\nworkers = {workers}\ncommand = [\"pyflyte\", \
             \"serve\", \"connector\", \"--port\", \"{{port}}\", \"--prometheus_port\", \
             \"{{metrics_port}}\", \"--modules\", \"never\"]\n"
        );
        std::fs::write(&config, text).expect("a configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.arg("serve").arg("--config").arg(&config);
        command.args(["--port", &port.to_string(), "--prometheus-port", &metrics.to_string()]);
        Self::start("Flightdeck before it", command, port, metrics).await
    }

    async fn start(name: &'static str, mut command: Command, port: u16, metrics: u16) -> Self {
        let log = command.env("PYTHONPATH", MODULES).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = log.spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let endpoint = Channel::from_shared(format!("http://127.0.0.1:{port}")).expect("a URI");
        let service = Self { name, child, channel: endpoint.connect_lazy(), metrics };
        let began = Instant::now();
        while !service.has_sensors().await {
            assert!(began.elapsed() < LIMIT, "{name} lists no sensors");
            sleep(Duration::from_millis(50)).await;
        }
        service
    }

    async fn has_sensors(&self) -> bool {
        let mut metadata = AgentMetadataServiceClient::new(self.channel.clone());
        let listed = metadata.list_agents(ListAgentsRequest {}).await;
        listed.is_ok_and(|listed| !listed.get_ref().agents.is_empty())
    }

    fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Creates so many sensors.
    async fn create(&self, count: usize) -> Vec<Bytes> {
        let mut handles = Vec::with_capacity(count);
        let mut tasks = AsyncAgentServiceClient::new(self.channel.clone());
        let began = Instant::now();
        while handles.len() < count {
            match tasks.create_task(sensor(handles.len())).await {
                Ok(reply) => handles.push(reply.into_inner().resource_meta),
                // The sensors of the worker come a moment after the native one.
                Err(_) if began.elapsed() < LIMIT => sleep(Duration::from_millis(50)).await,
                Err(status) => panic!("{}: {status}", self.name),
            }
        }
        handles
    }

    /// Asks about the tasks for a time: how long each Get took, in
    /// microseconds.
    async fn ask(&self, handles: &[Bytes], measured: Duration) -> Histogram<u64> {
        let mut streams = JoinSet::new();
        let until = Instant::now() + measured;
        for stream in 0..STREAMS {
            let mut tasks = AsyncAgentServiceClient::new(self.channel.clone());
            let handles: Vec<Bytes> =
                handles.iter().skip(stream).step_by(STREAMS).cloned().collect();
            streams.spawn(async move {
                let mut times = Histogram::new(3).expect("a histogram");
                for handle in handles.iter().cycle() {
                    let began = Instant::now();
                    if began >= until {
                        break;
                    }
                    let reply = tasks.get_task(get(handle)).await.expect("a state").into_inner();
                    let phase = reply.resource.map(|resource| resource.phase().as_str_name());
                    assert_eq!(phase, Some("RUNNING"));
                    let took = began.elapsed().as_micros() as u64;
                    times.record(took).expect("a histogram grows");
                }
                times
            });
        }
        let mut times = Histogram::new(3).expect("a histogram");
        while let Some(stream) = streams.join_next().await {
            times.add(stream.expect("no panic")).expect("the same bounds");
        }
        times
    }

    async fn scrape(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics);
        let response = reqwest::get(url).await.expect("a listening endpoint");
        response.text().await.expect("text")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound port").port()
}

/// The Create of a `Never`.
fn sensor(n: usize) -> CreateTaskRequest {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let custom = [("sensor_module", text("never")), ("sensor_name", text("Never"))];
    let custom = custom.map(|(key, value)| (key.to_owned(), value));
    let integer = literal_type::Type::Simple(SimpleType::Integer.into());
    let variable = Variable {
        r#type: Some(LiteralType { r#type: Some(integer), ..LiteralType::default() }),
        ..Variable::default()
    };
    let inputs = VariableMap { variables: [("n".to_owned(), variable)].into() };
    let n = i64::try_from(n).expect("a small number");
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: "sensor".to_owned(),
            custom: Some(Struct { fields: custom.into() }),
            interface: Some(TypedInterface { inputs: Some(inputs), outputs: None }),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap { literals: [("n".to_owned(), literal::integer(n))].into() }),
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
