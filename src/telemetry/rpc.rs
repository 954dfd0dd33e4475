//! How long requests took.

use std::{sync::OnceLock, time::Duration};

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};
use tonic::Code;

use super::metrics::register;

/// Every method that is served.
const METHODS: [&str; 13] = [
    "flyteidl.service.AsyncAgentService/GetTask",
    "flyteidl.service.AsyncAgentService/CreateTask",
    "flyteidl.service.AsyncAgentService/DeleteTask",
    "flyteidl.service.AsyncAgentService/GetTaskMetrics",
    "flyteidl.service.AsyncAgentService/GetTaskLogs",
    "flyteidl.service.SyncAgentService/ExecuteTaskSync",
    "flyteidl.service.AgentMetadataService/ListAgents",
    "flyteidl.service.AgentMetadataService/GetAgent",
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    OTHER,
];

/// What the conventions call a method that nobody knows.
const OTHER: &str = "_OTHER";

/// The names of the gRPC codes, by their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Those of the semantic conventions, in seconds.
const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// A method of a service. All that nobody serves are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(usize);

impl Method {
    /// The method of a request's path.
    pub fn of(path: &str) -> Self {
        let name = path.strip_prefix('/').unwrap_or(path);
        let known = METHODS.iter().position(|known| *known == name);
        Self(known.unwrap_or(METHODS.len() - 1))
    }

    /// The service's name with its package, and the method's.
    pub fn name(self) -> &'static str {
        METHODS.get(self.0).copied().unwrap_or(OTHER)
    }
}

/// The name of a gRPC code, as the conventions have it.
pub(super) fn code_name(code: Code) -> &'static str {
    CODES.get(code as usize).copied().unwrap_or("UNKNOWN")
}

/// The durations of requests, by method and status.
#[derive(Debug)]
pub(super) struct RpcMetrics {
    family: HistogramVec,
    /// Looked up once, by method and code.
    known: [[OnceLock<Histogram>; CODES.len()]; METHODS.len()],
}

impl RpcMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let options = HistogramOpts::new(
            "rpc_server_call_duration_seconds",
            "How long requests took, by method and gRPC status",
        );
        let labels = ["rpc_system_name", "rpc_method", "rpc_response_status_code"];
        let family = HistogramVec::new(options.buckets(BUCKETS.to_vec()), &labels)?;
        Ok(Self { family: register(registry, family)?, known: Default::default() })
    }

    pub(super) fn took(&self, method: Method, code: Code, time: Duration) {
        let find = || self.family.with_label_values(&["grpc", method.name(), code_name(code)]);
        let known = self.known.get(method.0).and_then(|codes| codes.get(code as usize));
        if let Some(known) = known {
            known.get_or_init(find).observe(time.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_by_their_path_and_the_rest_is_one() {
        let path = "/flyteidl.service.AsyncAgentService/GetTask";
        assert_eq!(Method::of(path).name(), &path[1..]);
        for path in ["/nobody/Nothing", "", "/"] {
            assert_eq!(Method::of(path).name(), "_OTHER", "{path:?}");
        }
    }

    #[test]
    fn codes_are_named_by_their_numbers() {
        for (code, name) in [
            (Code::Ok, "OK"),
            (Code::Cancelled, "CANCELLED"),
            (Code::NotFound, "NOT_FOUND"),
            (Code::Unauthenticated, "UNAUTHENTICATED"),
        ] {
            assert_eq!(code_name(code), name);
        }
    }
}
