//! gRPC health, under the names that flytekit sets.

use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::{
        HealthCheckRequest, HealthCheckResponse,
        health_server::{Health, HealthServer},
    },
    server::{HealthReporter, HealthService, WatchStream},
};

/// The services whose health is told; the empty name is the whole.
pub const SERVICE_NAMES: [&str; 5] = [
    "",
    "flyteidl.service.AsyncAgentService",
    "flyteidl.service.SyncAgentService",
    "flyteidl.service.AgentMetadataService",
    "grpc.health.v1.Health",
];

/// Tells the health of the service.
pub(super) struct Reporter {
    statuses: HealthReporter,
    stopping: CancellationToken,
}

impl Reporter {
    /// NOT_SERVING under every name.
    pub(super) async fn not_serving() -> Self {
        let reporter = Self { statuses: HealthReporter::new(), stopping: CancellationToken::new() };
        reporter.set(ServingStatus::NotServing).await;
        reporter
    }

    /// The service that answers for it.
    pub(super) fn service(&self) -> HealthServer<impl Health + use<>> {
        HealthServer::new(Handlers {
            health: HealthService::from_health_reporter(self.statuses.clone()),
            stopping: self.stopping.clone(),
        })
    }

    /// Sets the health under every name.
    pub(super) async fn set(&self, status: ServingStatus) {
        for name in SERVICE_NAMES {
            self.statuses.set_service_status(name, status).await;
        }
    }

    /// Ends every Watch after its last status: they would hold a drain for ever.
    pub(super) fn end_watches(&self) {
        self.stopping.cancel();
    }
}

/// tonic's health service, with an end to its Watch streams.
struct Handlers {
    health: HealthService,
    stopping: CancellationToken,
}

#[tonic::async_trait]
impl Health for Handlers {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.health.check(request).await
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let statuses = self.health.watch(request).await?.into_inner();
        Ok(Response::new(Box::pin(until(self.stopping.clone(), statuses))))
    }
}

/// The statuses, until the service stops: then UNAVAILABLE, upon which a client
/// looks for another address.
fn until(
    stopping: CancellationToken,
    statuses: WatchStream,
) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
    stream::unfold(Some((statuses, stopping)), |state| async {
        let (mut statuses, stopping) = state?;
        tokio::select! {
            // The last status before the end.
            biased;
            status = statuses.next() => Some((status?, Some((statuses, stopping)))),
            () = stopping.cancelled() => {
                Some((Err(Status::unavailable("the service is stopping")), None))
            }
        }
    })
}
