//! Services on loopback, and the supervisor alone.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use flightdeck::{
    config::Config,
    connector::{Connector, ConnectorRegistry},
    connectors::builtin,
    server::{ServeError, Service},
    supervisor::{Clock, Randomness, Tasks, World},
    telemetry::{Metrics, Traces},
};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};
use tonic::transport::Channel;

use super::backend::{Backend, BackendConnector, SyncBackendConnector};

/// The longest that a test waits for anything.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A wall clock that goes with tokio's, which tests pause.
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000) + self.0.elapsed()
    }
}

/// A world that repeats.
pub fn world() -> World {
    World {
        clock: Arc::new(SimulatedClock(Instant::now())),
        randomness: Arc::new(Randomness::seeded(7)),
    }
}

/// The built-in connectors and those of the backend.
pub fn connectors(config: &Config, backend: &Backend) -> ConnectorRegistry {
    let registry = builtin(config).expect("built-in connectors");
    for connector in [
        Connector::from_async(BackendConnector(backend.clone())),
        Connector::from_sync(SyncBackendConnector(backend.clone())),
    ] {
        registry.register(connector).expect("a task type of its own");
    }
    registry
}

/// The supervisor without a server.
pub async fn tasks(config: &Config, backend: &Backend) -> Tasks {
    tasks_in(world(), config, backend).await
}

/// The supervisor in a world that goes on.
pub async fn tasks_in(world: World, config: &Config, backend: &Backend) -> Tasks {
    let connectors = Arc::new(connectors(config, backend));
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    Tasks::start(config, connectors, metrics, world).await.expect("a supervisor")
}

/// A configuration without jitter, so that schedules are exact.
pub fn exact() -> Config {
    let mut config = Config::default();
    config.polling.jitter = 0.0;
    config
}

/// A service on loopback, on ports that the system chose.
pub struct TestService {
    pub grpc: SocketAddr,
    pub metrics: SocketAddr,
    pub admin: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl TestService {
    /// Starts a service with the built-in connectors and the backend's.
    pub fn start(mut config: Config, backend: &Backend) -> Self {
        Self::localhost(&mut config);
        Self::start_as_is(config, backend)
    }

    /// The same, in the real world and with the traces of the configuration.
    pub fn start_traced(mut config: Config, backend: &Backend) -> Self {
        Self::localhost(&mut config);
        let world = World::real();
        let traces = Traces::start(&config.traces, world.trace_ids()).expect("traces");
        Self::run(config, backend, world, traces)
    }

    fn localhost(config: &mut Config) {
        let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
        config.server.port = 0;
        config.metrics.port = 0;
        config.admin.port = Some(0);
        config.server.host = localhost;
        config.metrics.host = localhost;
        config.server.drain_grace = Duration::ZERO;
    }

    /// Starts a service on the addresses of the configuration.
    pub fn start_as_is(config: Config, backend: &Backend) -> Self {
        Self::run(config, backend, world(), Traces::off())
    }

    fn run(config: Config, backend: &Backend, world: World, traces: Traces) -> Self {
        let connectors = Arc::new(connectors(&config, backend));
        let service = Service::bind(config, connectors, world).expect("free ports");
        let service = service.with_traces(traces);
        let (stop, stopped) = oneshot::channel();
        Self {
            grpc: service.grpc_address().expect("a bound port"),
            metrics: service.metrics_address().expect("a bound port"),
            admin: service.admin_address().expect("a bound port"),
            stop,
            running: tokio::spawn(service.run(async {
                let _ = stopped.await;
            })),
        }
    }

    /// A connection to it.
    pub async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.grpc)).expect("an address");
        endpoint.connect().await.expect("a listening service")
    }

    /// What Prometheus would scrape, at this path.
    pub async fn scrape(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.metrics);
        let response = reqwest::get(url).await.expect("a listening endpoint");
        response.text().await.expect("text")
    }

    /// Stops it, as SIGTERM does, and waits until it has stopped.
    pub async fn stop(self) -> Result<(), ServeError> {
        let _ = self.stop.send(());
        let stopped = tokio::time::timeout(LIMIT, self.running).await;
        stopped.expect("the drain has an end").expect("no panic")
    }
}
