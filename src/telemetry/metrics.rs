//! The Prometheus metrics: flytekit's, by the same names, labels and meanings,
//! and what an operator of actors needs.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use dashmap::DashMap;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry, TextEncoder, core::Collector};
use tonic::Code;

use super::{
    SpanMetrics,
    labels::TaskTypes,
    rpc::{Method, RpcMetrics},
    server::ServerMetrics,
    summary::{Summary, SummaryVec},
    tasks::{TaskFamilies, TaskMetrics},
    upstream::UpstreamMetrics,
};

/// An operation as flytekit's labels name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// CreateTask
    Create,
    /// GetTask
    Get,
    /// DeleteTask
    Delete,
    /// ExecuteTaskSync
    Do,
}

impl Operation {
    /// The value of the label `operation`, also used in error texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Delete => "delete",
            Self::Do => "do",
        }
    }
}

/// Every metric of the service. Cheap to share; one registry each, so that
/// services in one process do not mix.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    types: TaskTypes,
    requests: DashMap<String, Arc<RequestMetrics>>,
    tasks_by_type: DashMap<String, Arc<TaskMetrics>>,

    success: IntCounterVec,
    failure: IntCounterVec,
    latency: SummaryVec,
    input_bytes: SummaryVec,

    families: TaskFamilies,
    refusals: IntCounterVec,
    server: ServerMetrics,
    rpcs: RpcMetrics,
    upstreams: UpstreamMetrics,
}

impl Metrics {
    /// All metrics, registered.
    ///
    /// # Errors
    /// If a name is malformed or taken, which is a fault of this code.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let summary = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, SummaryVec::new(name, help, labels)?)
        };
        let metrics = Self {
            success: counter(
                "flyte_connector_requests_success_total",
                "Total number of successful requests",
                &["task_type", "operation"],
            )?,
            failure: counter(
                "flyte_connector_requests_failure_total",
                "Total number of failed requests",
                &["task_type", "operation", "error_code"],
            )?,
            latency: summary(
                "flyte_connector_request_latency_seconds",
                "Time spent processing connector request",
                &["task_type", "operation"],
            )?,
            input_bytes: summary(
                "flyte_connector_input_literal_bytes",
                "Size of input literal",
                &["task_type"],
            )?,
            refusals: counter(
                "flightdeck_admission_refusals_total",
                "Requests refused for want of room",
                &["reason"],
            )?,
            families: TaskFamilies::new(&registry)?,
            server: ServerMetrics::new(&registry)?,
            rpcs: RpcMetrics::new(&registry)?,
            upstreams: UpstreamMetrics::new(&registry)?,
            registry: registry.clone(),
            types: TaskTypes::default(),
            requests: DashMap::new(),
            tasks_by_type: DashMap::new(),
        };
        register_process(&registry)?;
        Ok(metrics)
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// If a metric cannot be written, which is a fault of this code.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// The request metrics of a task type; `served` says whether a connector
    /// has it, and is asked about a type that is new.
    pub fn requests(&self, task_type: &str, served: impl FnOnce() -> bool) -> Arc<RequestMetrics> {
        if let Some(known) = self.requests.get(task_type) {
            return known.clone();
        }
        let label = self.types.label(task_type, served());
        self.requests
            .entry(label.to_owned())
            .or_insert_with(|| Arc::new(RequestMetrics::new(self, label)))
            .clone()
    }

    /// The task metrics of a task type that a connector serves.
    pub fn tasks(&self, task_type: &str) -> Arc<TaskMetrics> {
        if let Some(known) = self.tasks_by_type.get(task_type) {
            return known.clone();
        }
        self.tasks_by_type
            .entry(task_type.to_owned())
            .or_insert_with(|| Arc::new(TaskMetrics::new(&self.families, task_type)))
            .clone()
    }

    /// Restarts of actors, of all task types and causes.
    pub fn restarts(&self) -> u64 {
        self.families.all_restarts()
    }

    /// Counts a request that was refused for want of room.
    pub fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// Counts a request by its method and status, and how long it took.
    pub fn rpc_took(&self, method: Method, code: Code, time: Duration) {
        self.rpcs.took(method, code, time);
    }

    /// Adds the counters of spans that are sent.
    ///
    /// # Errors
    /// If they are there already.
    pub fn add_spans(&self, spans: &SpanMetrics) -> prometheus::Result<()> {
        spans.register(&self.registry)
    }

    /// The metrics of the gRPC server.
    pub fn server(&self) -> &ServerMetrics {
        &self.server
    }

    /// The metrics of upstreams.
    pub fn upstreams(&self) -> &UpstreamMetrics {
        &self.upstreams
    }
}

pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// `process_*`: memory, CPU time, file descriptors, start; on Linux only.
fn register_process(registry: &Registry) -> prometheus::Result<()> {
    #[cfg(target_os = "linux")]
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
    #[cfg(not(target_os = "linux"))]
    let _ = registry;
    Ok(())
}

/// The metrics of requests for one task type. A series appears with its first
/// use, as in Python.
#[derive(Debug)]
pub struct RequestMetrics {
    label: String,
    failure: IntCounterVec,
    success_family: IntCounterVec,
    latency_family: SummaryVec,
    input_family: SummaryVec,
    success: [OnceLock<IntCounter>; 4],
    latency: [OnceLock<Arc<Summary>>; 4],
    input_bytes: OnceLock<Arc<Summary>>,
}

impl RequestMetrics {
    fn new(metrics: &Metrics, label: &str) -> Self {
        Self {
            label: label.to_owned(),
            failure: metrics.failure.clone(),
            success_family: metrics.success.clone(),
            latency_family: metrics.latency.clone(),
            input_family: metrics.input_bytes.clone(),
            success: Default::default(),
            latency: Default::default(),
            input_bytes: OnceLock::new(),
        }
    }

    /// Counts a request that succeeded.
    pub fn succeeded(&self, operation: Operation) {
        self.success[operation as usize]
            .get_or_init(|| {
                self.success_family.with_label_values(&[self.label.as_str(), operation.as_str()])
            })
            .inc();
    }

    /// Counts a request that failed; flytekit's codes are 404 for an unknown
    /// task type and 500 for the rest.
    pub fn failed(&self, operation: Operation, error_code: &str) {
        self.failure
            .with_label_values(&[self.label.as_str(), operation.as_str(), error_code])
            .inc();
    }

    /// Observes how long a request took, since it began.
    pub fn took(&self, operation: Operation, since: Instant) {
        self.latency[operation as usize]
            .get_or_init(|| {
                self.latency_family.with_label_values(&[&self.label, operation.as_str()])
            })
            .observe(since.elapsed().as_secs_f64());
    }

    /// Observes the encoded size of a Create's inputs.
    pub fn input_bytes(&self, bytes: usize) {
        self.input_bytes
            .get_or_init(|| self.input_family.with_label_values(&[&self.label]))
            .observe(bytes as f64);
    }
}
