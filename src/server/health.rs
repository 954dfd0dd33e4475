//! gRPC health, under the names that flytekit sets.

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::HealthReporter,
};

/// The services whose health is told; the empty name is the whole.
pub const SERVICE_NAMES: [&str; 5] = [
    "",
    "flyteidl.service.AsyncAgentService",
    "flyteidl.service.SyncAgentService",
    "flyteidl.service.AgentMetadataService",
    "grpc.health.v1.Health",
];

/// The health service, NOT_SERVING under every name.
pub(super) async fn not_serving() -> (HealthReporter, HealthServer<impl Health>) {
    let (reporter, server) = tonic_health::server::health_reporter();
    set_all(&reporter, ServingStatus::NotServing).await;
    (reporter, server)
}

/// Sets the health under every name.
pub(super) async fn set_all(reporter: &HealthReporter, status: ServingStatus) {
    for name in SERVICE_NAMES {
        reporter.set_service_status(name, status).await;
    }
}
