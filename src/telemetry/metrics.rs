//! The Prometheus metrics: flytekit's, by the same names, labels and meanings,
//! and what an operator of actors needs.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use dashmap::DashMap;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

use super::{
    labels::TaskTypes,
    server::ServerMetrics,
    summary::{Summary, SummaryVec},
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

    tasks: IntGaugeVec,
    polls: IntCounterVec,
    poll_failures: IntCounterVec,
    poll_lateness: Histogram,
    restarts: IntCounterVec,
    refusals: IntCounterVec,
    adoptions: IntCounterVec,
    ended: IntCounterVec,
    orphans: IntCounterVec,
    deletes_given_up: IntCounterVec,
    server: ServerMetrics,
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
            tasks: register(
                &registry,
                IntGaugeVec::new(
                    Opts::new("flightdeck_tasks", "Tasks held now, by type and phase"),
                    &["task_type", "phase"],
                )?,
            )?,
            polls: counter(
                "flightdeck_polls_total",
                "Polls that found out the state of a job",
                &["task_type"],
            )?,
            poll_failures: counter(
                "flightdeck_poll_failures_total",
                "Polls that failed, by what the failure means for the task",
                &["task_type", "class"],
            )?,
            poll_lateness: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "flightdeck_poll_lateness_seconds",
                        "How much later than planned a poll began",
                    )
                    .buckets(vec![
                        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
                    ]),
                )?,
            )?,
            restarts: counter(
                "flightdeck_task_restarts_total",
                "Restarts of a task's actor, by what stopped it",
                &["task_type", "cause"],
            )?,
            refusals: counter(
                "flightdeck_admission_refusals_total",
                "Requests refused for want of room",
                &["reason"],
            )?,
            adoptions: counter(
                "flightdeck_adoptions_total",
                "Tasks of another process that were taken over from their handle",
                &["task_type"],
            )?,
            ended: counter(
                "flightdeck_tasks_ended_total",
                "Tasks that reached a terminal phase",
                &["task_type", "phase"],
            )?,
            orphans: counter(
                "flightdeck_orphans_total",
                "Jobs that were deleted because nobody would ask about them again",
                &["task_type"],
            )?,
            deletes_given_up: counter(
                "flightdeck_deletes_given_up_total",
                "Deletes that the backend did not confirm in all the time given to it",
                &["task_type"],
            )?,
            server: ServerMetrics::new(&registry)?,
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
    /// has it.
    pub fn requests(&self, task_type: &str, served: bool) -> Arc<RequestMetrics> {
        if let Some(known) = self.requests.get(task_type) {
            return known.clone();
        }
        let label = self.types.label(task_type, served);
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
            .or_insert_with(|| Arc::new(TaskMetrics::new(self, task_type)))
            .clone()
    }

    /// Restarts of actors, of all task types and causes.
    pub fn restarts(&self) -> u64 {
        let families = self.restarts.collect();
        let metrics = families.iter().flat_map(|family| family.get_metric());
        // The counter counts in whole numbers; only its wire has floats.
        metrics.map(|metric| metric.get_counter().get_value() as u64).sum()
    }

    /// Counts a request that was refused for want of room.
    pub fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
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

/// The metrics of tasks of one type.
#[derive(Debug)]
pub struct TaskMetrics {
    label: String,
    tasks: IntGaugeVec,
    polls: IntCounter,
    poll_failures: IntCounterVec,
    poll_lateness: Histogram,
    restarts: IntCounterVec,
    adoptions: IntCounterVec,
    ended: IntCounterVec,
    orphans: IntCounterVec,
    deletes_given_up: IntCounterVec,
}

impl TaskMetrics {
    fn new(metrics: &Metrics, label: &str) -> Self {
        Self {
            label: label.to_owned(),
            tasks: metrics.tasks.clone(),
            polls: metrics.polls.with_label_values(&[label]),
            poll_failures: metrics.poll_failures.clone(),
            poll_lateness: metrics.poll_lateness.clone(),
            restarts: metrics.restarts.clone(),
            adoptions: metrics.adoptions.clone(),
            ended: metrics.ended.clone(),
            orphans: metrics.orphans.clone(),
            deletes_given_up: metrics.deletes_given_up.clone(),
        }
    }

    /// Counts a poll that began so much later than planned.
    pub fn poll_began(&self, late: Duration) {
        self.poll_lateness.observe(late.as_secs_f64());
    }

    /// Counts a poll that found out the job's state.
    pub fn polled(&self) {
        self.polls.inc();
    }

    /// Counts a poll that failed.
    pub fn poll_failed(&self, class: &str) {
        let labels = [self.label.as_str(), class];
        self.poll_failures.with_label_values(&labels).inc();
    }

    /// Counts a restart of an actor.
    pub fn restarted(&self, cause: &str) {
        let labels = [self.label.as_str(), cause];
        self.restarts.with_label_values(&labels).inc();
    }

    /// Counts a task that was taken over.
    pub fn adopted(&self) {
        let labels = [self.label.as_str()];
        self.adoptions.with_label_values(&labels).inc();
    }

    /// Counts a job that was deleted because nobody would ask about it again.
    pub fn orphaned(&self) {
        self.orphans.with_label_values(&[self.label.as_str()]).inc();
    }

    /// Counts a delete that was never confirmed.
    pub fn delete_given_up(&self) {
        self.deletes_given_up.with_label_values(&[self.label.as_str()]).inc();
    }

    /// Counts a task that reached a terminal phase.
    pub fn ended(&self, phase: &str) {
        let labels = [self.label.as_str(), phase];
        self.ended.with_label_values(&labels).inc();
    }

    /// Counts a task in this phase for as long as the gauge lives.
    pub fn gauge(&self, phase: &str) -> TaskGauge {
        let gauge = self.tasks.with_label_values(&[self.label.as_str(), phase]);
        gauge.inc();
        TaskGauge(gauge)
    }
}

/// One task, counted in `flightdeck_tasks` until this is dropped.
#[derive(Debug)]
pub struct TaskGauge(IntGauge);

impl Drop for TaskGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}
