//! How soon after its start the service is SERVING, and how much memory it
//! holds when idle.
//!
//! `cargo bench --bench startup` starts the binary again and again as its own
//! process, asks for its health over gRPC until it is SERVING, and prints the
//! median of the runs beside the target.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const RUNS: usize = 21;
const LIMIT: Duration = Duration::from_secs(10);
/// How long a service is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(1);

fn main() {
    // `cargo test --benches` wants to know that it runs, not how fast.
    let runs = if std::env::args().any(|argument| argument == "--test") { 1 } else { RUNS };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut serving = Vec::with_capacity(runs);
    for _ in 0..runs {
        let (took, _service) = runtime.block_on(start());
        serving.push(took.as_secs_f64() * 1e3);
    }
    let (_, service) = runtime.block_on(start());
    std::thread::sleep(IDLE);
    let resident = service.resident();

    println!("{:<24} {:>10} {:>10}  met", "figure", "measured", "target");
    row("start to SERVING, ms", median(&mut serving), 100.0);
    row("resident when idle, MiB", resident, 20.0);
}

fn row(figure: &str, measured: f64, target: f64) {
    let met = if measured <= target { "yes" } else { "NO" };
    println!("{figure:<24} {measured:>10.1} {target:>10.1}  {met}");
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A running service, ended when it is dropped.
struct Service(Child);

impl Service {
    /// The resident memory, in MiB.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()));
        let status = status.expect("/proc");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
        kib.expect("a number") / 1024.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the binary, and waits until it is SERVING.
async fn start() -> (Duration, Service) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_flightdeck"))
        .args(["serve", "--port", "0", "--prometheus-port", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stderr = child.stderr.take().expect("a pipe");
    let service = Service(child);
    let port = port(BufReader::new(stderr));
    let channel = loop {
        let endpoint = Channel::from_shared(format!("http://127.0.0.1:{port}")).expect("a URI");
        if let Ok(channel) = endpoint.connect().await {
            break channel;
        }
        assert!(began.elapsed() < LIMIT, "the port is not listened on");
    };
    let mut health = HealthClient::new(channel);
    loop {
        let answer = health.check(HealthCheckRequest::default()).await;
        if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
            return (began.elapsed(), service);
        }
        assert!(began.elapsed() < LIMIT, "it is not SERVING");
    }
}

/// The port that the service says it listens on.
fn port(lines: impl BufRead) -> u16 {
    for line in lines.lines().map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once("grpc=[::]:") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return digits.parse().expect("a port");
        }
    }
    panic!("the service ended before it listened");
}
