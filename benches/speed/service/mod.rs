//! Services as processes of their own.

mod collector;
mod floor;
mod hook;
mod limit;
pub mod store;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use flightdeck::wire::flyteidl::{
    admin::ListAgentsRequest, service::agent_metadata_service_client::AgentMetadataServiceClient,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempPath;
use tokio::time::sleep;
use tonic::transport::Endpoint;

pub use self::limit::CpuLimit;
use crate::{Role, load::Wire, process::Usage};

/// How long a service may take until it answers.
const LIMIT: Duration = Duration::from_secs(60);
/// Python modules with connectors.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python");

/// Lines that come first in every configuration of Flightdeck.
static SET: OnceLock<String> = OnceLock::new();

/// Has every Flightdeck started with these lines of configuration.
pub fn set(lines: &[String]) {
    let lines = lines.iter().map(|line| format!("{line}\n")).collect();
    SET.set(lines).expect("it is set once");
}

/// Serves as what this process is told to be, until it is killed.
pub async fn serve(role: Role) {
    match role {
        Role::Floor => floor::serve().await,
        Role::Store => store::serve().await,
        Role::Hook => hook::serve().await,
        Role::Collector => collector::serve().await,
    }
}

/// A process that serves, ended when it is dropped.
pub struct Service {
    child: Child,
    /// Where it listens, as `host:port`.
    address: String,
    /// Where its metrics are, as `host:port`.
    metrics: Option<String>,
    /// Deleted with it.
    config: Option<TempPath>,
}

impl Service {
    /// A server of this program's own.
    pub fn role(role: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        Self::start(command.args(["--role", role]))
    }

    /// The bare tonic server.
    pub fn floor() -> Self {
        Self::role("floor")
    }

    /// Flightdeck with this configuration, on ports that the system chooses.
    pub fn flightdeck(config: &str) -> Self {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        let text = format!(
            "admin.enabled = false\nserver.host = \"127.0.0.1\"\nmetrics.host = \"127.0.0.1\"\n{}{config}",
            SET.get().map_or("", String::as_str)
        );
        std::fs::write(file.path(), text).expect("a configuration");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flightdeck"));
        command.args(["serve", "--port", "0", "--prometheus-port", "0", "--config"]);
        // What is set outside must not change what is measured.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLIGHTDECK_")) {
            command.env_remove(name);
        }
        let path = file.into_temp_path();
        let mut service = Self::start(command.arg(&path).env("PYTHONPATH", MODULES));
        service.config = Some(path);
        service
    }

    /// Flightdeck with this configuration, which forwards every task.
    pub async fn forwarding(upstream: &Self, config: &str) -> Self {
        let service = Self::flightdeck(&format!(
            "{config}[[upstream]]\nname = \"upstream\"\nendpoint = {:?}\n\
             prefer = [\"sensor\", \"webhook\"]\n",
            upstream.url()
        ));
        service.listing().await;
        service
    }

    /// flytekit's service, if there is a `pyflyte` on the path.
    pub async fn flytekit() -> Option<Self> {
        let port = free_port();
        let mut command = Command::new(pyflyte()?);
        command.args(["serve", "connector", "--modules", "never"]);
        command.args(["--port", &port.to_string(), "--prometheus_port", &free_port().to_string()]);
        command.env("PYTHONPATH", MODULES).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let address = format!("127.0.0.1:{port}");
        let service = Self { child, address, metrics: None, config: None };
        service.listing().await;
        Some(service)
    }

    /// Starts a process that tells its addresses in a line of its log.
    fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut log = Vec::new();
        let line = lines.by_ref().map_while(Result::ok).find(|line| {
            log.push(line.clone());
            line.contains("grpc=")
        });
        let line = line.unwrap_or_else(|| panic!("it told no address: {}", log.join("\n")));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let after = |name| {
            let (_, rest) = line.split_once(name)?;
            rest.split_whitespace().next().map(str::to_owned)
        };
        let address = after("grpc=").expect("an address");
        Self { child, address, metrics: after("prometheus="), config: None }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Wire {
        let endpoint = Endpoint::from_shared(self.url()).expect("a URL");
        let began = Instant::now();
        loop {
            match endpoint.connect().await {
                Ok(channel) => return Wire::Channel(channel),
                Err(error) => assert!(began.elapsed() < LIMIT, "{}: {error}", self.address),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until it lists its connectors.
    pub async fn listing(&self) {
        let began = Instant::now();
        let mut metadata = AgentMetadataServiceClient::new(self.connect().await);
        loop {
            let listed = metadata.list_agents(ListAgentsRequest {}).await;
            if listed.is_ok_and(|listed| !listed.get_ref().agents.is_empty()) {
                return;
            }
            assert!(began.elapsed() < LIMIT, "{} lists no connectors", self.address);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    /// What Prometheus would scrape.
    pub async fn scrape(&self) -> String {
        let address = self.metrics.as_ref().expect("it has metrics");
        let reply = reqwest::get(format!("http://{address}/metrics")).await.expect("metrics");
        reply.text().await.expect("text")
    }

    /// Asks it to stop, and waits until it has: how long that took.
    pub fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.signal(Signal::TERM);
        let status = self.child.wait().expect("our child");
        assert!(status.success(), "it ended with {status}");
        began.elapsed()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our child");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `pyflyte`, where it is on the path.
pub fn pyflyte() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("pyflyte")).find(|file| file.exists())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound port").port()
}
