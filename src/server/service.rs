//! One running service: its ports, its tasks, its drain.

use std::{
    future::{Future, IntoFuture},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
};

use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_reflection::server::Builder;
use tracing::{error, info};

use super::{
    admin::{self, AdminServer},
    admission::Admission,
    asynchronous::AsyncHandlers,
    connection::Protocol,
    connections::Connections,
    health::{Reporter, SERVICE_NAMES},
    incoming::Incoming,
    listener,
    listener::BindError,
    metadata::MetadataHandlers,
    metrics,
    synchronous::SyncHandlers,
};
use crate::{
    config::Config,
    connector::ConnectorRegistry,
    connectors::upstream::{Scraper, UpstreamError, Upstreams},
    supervisor::{Tasks, World},
    telemetry::Metrics,
    wire::{
        FILE_DESCRIPTOR_SET,
        flyteidl::service::{
            agent_metadata_service_server::AgentMetadataServiceServer,
            async_agent_service_server::AsyncAgentServiceServer,
            sync_agent_service_server::SyncAgentServiceServer,
        },
    },
};

/// A service whose ports are bound and that is not serving yet.
pub struct Service {
    config: Config,
    connectors: Arc<ConnectorRegistry>,
    world: World,
    grpc: TcpListener,
    prometheus: TcpListener,
    admin: Option<TcpListener>,
}

/// A service that could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port is taken or not ours to take.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The metrics cannot be registered.
    #[error("cannot register the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The upstreams cannot be started.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The supervisor's actor cannot be started.
    #[error("cannot start the task registry: {0}")]
    Registry(#[from] ractor::SpawnErr),
    /// There can be no HTTP client for the metrics of workers.
    #[error("cannot ask workers for their metrics: {0}")]
    Scraper(#[from] reqwest::Error),
    /// The reflection service does not read our own descriptors.
    #[error("cannot describe the services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Service {
    /// Binds the ports.
    ///
    /// # Errors
    /// If one of them is taken, or not ours to take.
    pub fn bind(
        config: Config,
        connectors: Arc<ConnectorRegistry>,
        world: World,
    ) -> Result<Self, ServeError> {
        let server = &config.server;
        let metrics = &config.metrics;
        Ok(Self {
            grpc: listener::bind(server.host, server.port, "gRPC", "server.port")?,
            prometheus: listener::bind(metrics.host, metrics.port, "Prometheus", "metrics.port")?,
            admin: admin::bind(&config.admin)?,
            config,
            connectors,
            world,
        })
    }

    /// The address of the gRPC services.
    pub fn grpc_address(&self) -> io::Result<SocketAddr> {
        self.grpc.local_addr()
    }

    /// The address of the Prometheus endpoint.
    pub fn metrics_address(&self) -> io::Result<SocketAddr> {
        self.prometheus.local_addr()
    }

    /// The address of the admin service, if there is one.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves until `shutdown` completes, then drains: NOT_SERVING, after
    /// `server.drain_grace` no new connections and GOAWAY on the open ones, and
    /// requests under way get `server.drain_timeout`. Jobs are not touched:
    /// tasks live on in their handles.
    ///
    /// # Errors
    /// If the service cannot start.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { config, connectors, world, grpc, prometheus, admin } = self;
        let core = Core::start(config, connectors, world).await?;
        let _endpoint =
            MetricsEndpoint::start(prometheus, core.metrics.clone(), core.upstreams.scraper()?);
        let _admin = admin.map(|listener| AdminServer::start(listener, &core.tasks));
        core.serve(grpc, shutdown).await
    }

    /// Serves the gRPC services alone, as [`Service::run`] does, to connections
    /// from elsewhere than a port of this machine.
    ///
    /// # Errors
    /// If the service cannot start.
    pub async fn run_on(
        incoming: impl Incoming,
        config: Config,
        connectors: Arc<ConnectorRegistry>,
        world: World,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        Core::start(config, connectors, world).await?.serve(incoming, shutdown).await
    }
}

/// A service without its ports.
struct Core {
    config: Config,
    connectors: Arc<ConnectorRegistry>,
    world: World,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    upstreams: Upstreams,
}

impl Core {
    async fn start(
        config: Config,
        connectors: Arc<ConnectorRegistry>,
        world: World,
    ) -> Result<Self, ServeError> {
        let metrics = Arc::new(Metrics::new()?);
        let tasks = Tasks::start(&config, connectors.clone(), metrics.clone(), world.clone());
        let tasks = tasks.await?;
        let upstreams = Upstreams::start(&config, &connectors, &metrics)?;
        Ok(Self { config, connectors, world, metrics, tasks, upstreams })
    }

    async fn serve(
        self,
        incoming: impl Incoming,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let Self { config, connectors, world, metrics, tasks, upstreams } = self;
        let settings = &config.server;
        let health = Reporter::not_serving().await;
        let routes = routes(&config, &tasks, connectors)?.add_service(health.service());
        let admission = Admission::new(settings.max_in_flight, metrics.clone());
        let mut connections = Connections::new(
            settings.max_connections,
            settings.max_connection_age,
            Protocol::new(settings, routes.prepare(), admission.clone()),
            metrics,
            world.randomness,
        );

        let life = async {
            let mut shutdown = pin!(shutdown);
            tokio::select! {
                biased;
                ready = upstreams.ready() => {
                    ready?;
                    health.set(ServingStatus::Serving).await;
                    info!("serving");
                    shutdown.await;
                }
                () = &mut shutdown => {}
            }
            info!(grace = ?settings.drain_grace, "draining: NOT_SERVING, then no new connections");
            health.set(ServingStatus::NotServing).await;
            sleep(settings.drain_grace).await;
            Ok::<_, ServeError>(())
        };
        tokio::select! {
            // Without upstreams to wait for, the first caller finds it SERVING.
            biased;
            ended = life => if let Err(error) = ended {
                upstreams.stop().await;
                return Err(error);
            },
            never = connections.accept(incoming) => match never {},
        }
        health.end_watches();
        let deadline = Instant::now() + settings.drain_timeout;
        connections.drain(&admission, deadline).await;
        // Deletes went on meanwhile; now no request can open another one.
        tasks.drain(deadline).await;
        tasks.stop();
        upstreams.stop().await;
        Ok(())
    }
}

/// Every gRPC service but health.
fn routes(
    config: &Config,
    tasks: &Tasks,
    connectors: Arc<ConnectorRegistry>,
) -> Result<Routes, ServeError> {
    let largest = config.server.max_message_size.as_u64();
    let largest = usize::try_from(largest).unwrap_or(usize::MAX);
    let reflection = |own_name: &str| {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(own_name);
        // Named, because the descriptors have the admin service in them, which
        // is not served here.
        let names = SERVICE_NAMES.into_iter().filter(|name| !name.is_empty());
        names.fold(builder, Builder::with_service_name)
    };
    Ok(Routes::new(
        AsyncAgentServiceServer::new(AsyncHandlers(tasks.clone()))
            .max_decoding_message_size(largest),
    )
    .add_service(
        SyncAgentServiceServer::new(SyncHandlers(tasks.clone())).max_decoding_message_size(largest),
    )
    .add_service(AgentMetadataServiceServer::new(MetadataHandlers(connectors)))
    .add_service(reflection("grpc.reflection.v1.ServerReflection").build_v1()?)
    // grpcurl before 1.8.8 asks for the older version.
    .add_service(reflection("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?))
}

/// The HTTP server of the Prometheus endpoint, until it is dropped.
struct MetricsEndpoint(JoinHandle<()>);

impl MetricsEndpoint {
    fn start(listener: TcpListener, metrics: Arc<Metrics>, workers: Option<Scraper>) -> Self {
        let server = axum::serve(listener, metrics::router(metrics, workers)).into_future();
        Self(tokio::spawn(async move {
            if let Err(error) = server.await {
                error!(%error, "the Prometheus endpoint failed");
            }
        }))
    }
}

impl Drop for MetricsEndpoint {
    fn drop(&mut self) {
        self.0.abort();
    }
}
