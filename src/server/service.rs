//! One running service: its ports, its tasks, its drain.

use std::{
    future::{Future, IntoFuture},
    io,
    net::SocketAddr,
    sync::Arc,
};

use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tonic::transport::{Server, server::TcpIncoming};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::layer::util::{Identity, Stack};
use tracing::{error, info, warn};

use super::{
    asynchronous::AsyncHandlers, health, listener, listener::BindError, metadata::MetadataHandlers,
    metrics, panic, synchronous::SyncHandlers,
};
use crate::{
    config::Config,
    connector::ConnectorRegistry,
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
    /// The supervisor's actor cannot be started.
    #[error("cannot start the task registry: {0}")]
    Registry(#[from] ractor::SpawnErr),
    /// The reflection service does not read our own descriptors.
    #[error("cannot describe the services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The gRPC server failed.
    #[error("the gRPC server failed: {0}")]
    Grpc(#[from] tonic::transport::Error),
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

    /// Serves until `shutdown` completes, then drains: NOT_SERVING, no new
    /// connections, and requests under way get `server.drain_timeout`. Jobs
    /// are not touched: tasks live on in their handles.
    ///
    /// # Errors
    /// If the service cannot start, or its listening socket fails.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let metrics = Arc::new(Metrics::new()?);
        let tasks = Tasks::start(
            &self.config,
            self.connectors.clone(),
            metrics.clone(),
            self.world.clone(),
        )
        .await?;
        let _endpoint = MetricsEndpoint::start(self.prometheus, metrics);
        let drain_timeout = self.config.server.drain_timeout;
        let (reporter, health) = health::not_serving().await;
        let router = router(&self.config, &tasks, self.connectors)?.add_service(health);

        let (drain, drained) = oneshot::channel::<()>();
        let incoming = TcpIncoming::from(self.grpc).with_nodelay(Some(true));
        let server = router.serve_with_incoming_shutdown(incoming, async {
            // A dropped sender means the same as a sent word.
            let _ = drained.await;
        });
        tokio::pin!(server);
        health::set_all(&reporter, ServingStatus::Serving).await;

        let mut drain_until = Instant::now();
        let served = tokio::select! {
            served = &mut server => served,
            () = shutdown => {
                begin_drain(&reporter, drain).await;
                drain_until = Instant::now() + drain_timeout;
                timeout_at(drain_until, &mut server).await.unwrap_or_else(|_| {
                    warn!(?drain_timeout, "requests are still under way at the end of the drain");
                    Ok(())
                })
            }
        };
        tasks.drain(drain_until).await;
        tasks.stop();
        Ok(served?)
    }
}

async fn begin_drain(reporter: &HealthReporter, drain: oneshot::Sender<()>) {
    info!("draining: no new connections, requests under way are finished");
    health::set_all(reporter, ServingStatus::NotServing).await;
    // The server is gone already if nobody listens.
    let _ = drain.send(());
}

type Router = tonic::transport::server::Router<Stack<panic::Layer, Identity>>;

fn router(
    config: &Config,
    tasks: &Tasks,
    connectors: Arc<ConnectorRegistry>,
) -> Result<Router, ServeError> {
    let settings = &config.server;
    let largest = usize::try_from(settings.max_message_size.as_u64()).unwrap_or(usize::MAX);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Server::builder()
        .max_concurrent_streams(settings.max_concurrent_streams)
        .http2_keepalive_interval(Some(settings.keepalive_interval))
        .http2_keepalive_timeout(Some(settings.keepalive_timeout))
        .layer(panic::layer())
        .add_service(
            AsyncAgentServiceServer::new(AsyncHandlers(tasks.clone()))
                .max_decoding_message_size(largest),
        )
        .add_service(
            SyncAgentServiceServer::new(SyncHandlers(tasks.clone()))
                .max_decoding_message_size(largest),
        )
        .add_service(AgentMetadataServiceServer::new(MetadataHandlers(connectors)))
        .add_service(reflection().build_v1()?)
        // grpcurl before 1.8.8 asks for the older version.
        .add_service(reflection().build_v1alpha()?))
}

/// The HTTP server of the Prometheus endpoint, until it is dropped.
struct MetricsEndpoint(JoinHandle<()>);

impl MetricsEndpoint {
    fn start(listener: TcpListener, metrics: Arc<Metrics>) -> Self {
        let server = axum::serve(listener, metrics::router(metrics)).into_future();
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
