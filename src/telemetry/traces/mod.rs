//! OpenTelemetry's traces: spans of requests and of tasks, sent to a collector
//! in batches.
//!
//! - [`Traces`] is what a service has of it, off or on.
//! - `plan`: what the settings and OpenTelemetry's variables come to.
//! - `processor`, `exporter`: a bounded number of spans waits for the collector;
//!   whatever it does, it costs counted drops and a line of the log.
//! - `propagation`: the W3C headers that carry a trace in and out.
//! - [`TaskTrace`], [`TaskSpan`]: the trace of a task, which outlives processes.

mod exporter;
mod plan;
mod processor;
mod propagation;
mod resource;
mod rpc;
mod task;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{SpanContext, TraceContextExt, TraceFlags, TraceState, TracerProvider},
};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::{
    error::OTelSdkError,
    trace::{IdGenerator, SdkTracer, SdkTracerProvider, SpanProcessor},
};
use tracing::warn;

use self::{
    exporter::Exporter,
    plan::Plan,
    processor::{Queue, SharedQueue},
};
use super::SpanMetrics;
use crate::config;

pub use self::{
    propagation::inject as inject_trace,
    rpc::RpcSpan,
    task::{TaskSpan, TaskTrace},
};

/// How much longer than the limit a stop waits for its thread to say so.
const MARGIN: Duration = Duration::from_millis(500);

/// The traces of one service, or none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Pipeline>>);

/// What spans go through.
struct Pipeline {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Where the provider's spans go, and those of tasks.
    queue: Arc<Queue>,
    scope: InstrumentationScope,
    ids: Arc<dyn IdGenerator>,
    /// Callers' traces are continued, and passed on.
    propagates: bool,
    finds_failures: bool,
    stop_timeout: Duration,
    metrics: SpanMetrics,
}

/// Traces that cannot be sent as configured.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A variable of OpenTelemetry has a value that is not possible.
    #[error("{variable} = {value:?} is not possible: {allowed}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The exporter refuses its settings.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// Their counters cannot be made, which is a fault of this code.
    #[error("spans cannot be counted: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl Traces {
    /// No traces.
    pub fn off() -> Self {
        Self(None)
    }

    /// Starts to send traces where an endpoint is set, in the settings or by
    /// OpenTelemetry's variables; else there are none. The ids of tasks' traces
    /// come from `ids`; those of requests are the SDK's, which each thread draws
    /// for itself.
    /// Must be called inside a Tokio runtime, which then does the sending.
    ///
    /// # Errors
    /// Variables or an endpoint that are not possible.
    pub fn start(
        settings: &config::Traces,
        ids: impl IdGenerator + 'static,
    ) -> Result<Self, TracesError> {
        let Some(plan) = Plan::of(settings, |name| std::env::var(name).ok())? else {
            return Ok(Self::off());
        };
        let metrics = SpanMetrics::new()?;
        let resource = resource::describe(&ids);
        let exporter = Exporter::new(plan.exporter()?, plan.timeout, metrics.clone());
        let mut queue = Queue::new(exporter, plan.queue, metrics.clone());
        queue.set_resource(&resource);
        let queue = Arc::new(queue);
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(plan.sampler())
            .with_span_processor(SharedQueue(queue.clone()))
            .build();
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Ok(Self(Some(Arc::new(Pipeline {
            tracer: provider.tracer_with_scope(scope.clone()),
            provider,
            queue,
            scope,
            ids: Arc::new(ids),
            propagates: plan.propagates,
            finds_failures: settings.failures,
            stop_timeout: settings.stop_timeout,
            metrics,
        }))))
    }

    /// True if traces are sent.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What is counted of the spans that are sent.
    pub fn metrics(&self) -> Option<&SpanMetrics> {
        self.0.as_deref().map(|pipeline| &pipeline.metrics)
    }

    /// The tracer for spans of connectors, which are made with `tracing`.
    pub fn tracer(&self) -> Option<SdkTracer> {
        let pipeline = self.0.as_deref()?;
        Some(pipeline.provider.tracer(concat!(env!("CARGO_PKG_NAME"), "/connector")))
    }

    /// True if the trace of a task that fails is sent though it was not
    /// sampled.
    pub fn finds_failures(&self) -> bool {
        self.0.as_deref().is_some_and(|pipeline| pipeline.finds_failures)
    }

    /// Begins the trace of a task, which is sampled as told. No traces, no
    /// trace.
    pub fn begin(&self, sampled: bool) -> TaskTrace {
        let Some(pipeline) = &self.0 else {
            return TaskTrace::none();
        };
        TaskTrace::new(pipeline.ids.new_trace_id(), pipeline.ids.new_span_id(), sampled)
    }

    /// The context that a connector's call for a task runs in: its spans and
    /// the requests it sends belong to the task's trace.
    pub fn context(&self, trace: &TaskTrace) -> Option<Context> {
        let pipeline = self.0.as_deref()?;
        let context = Context::new().with_remote_span_context(trace.root()?);
        Some(if pipeline.propagates { context } else { propagation::kept_inside(context) })
    }

    /// Sends the root of a task's trace: exactly 1 us long, because a root that
    /// lasts makes Jaeger complain about what comes after it.
    pub fn emit_root(
        &self,
        trace: &TaskTrace,
        created: SystemTime,
        attributes: Vec<KeyValue>,
        link: Option<SpanContext>,
    ) {
        let (Some(pipeline), Some(root)) = (&self.0, trace.sampled_root()) else {
            return;
        };
        pipeline.queue.on_end(task::root(root, &pipeline.scope, created, attributes, link));
    }

    /// Sends a span of a task's trace, if that is sampled: a child of its root,
    /// which was created at `created`.
    pub fn emit(&self, trace: &TaskTrace, created: SystemTime, span: TaskSpan) {
        let (Some(pipeline), Some(root)) = (&self.0, trace.sampled_root()) else {
            return;
        };
        let context = SpanContext::new(
            root.trace_id(),
            pipeline.ids.new_span_id(),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        pipeline.queue.on_end(span.into_data(context, root.span_id(), &pipeline.scope, created));
    }

    /// Sends what is left, for as long as the settings have it. Spans that end
    /// later are lost.
    pub async fn stop(&self) {
        let Some(pipeline) = self.0.clone() else {
            return;
        };
        let limit = pipeline.stop_timeout;
        let stopping = pipeline.clone();
        // It blocks, and what it waits for needs the runtime's own threads.
        let stop =
            tokio::task::spawn_blocking(move || stopping.provider.shutdown_with_timeout(limit));
        let stopped = tokio::time::timeout(limit + MARGIN, stop).await;
        if !matches!(stopped, Ok(Ok(Ok(()) | Err(OTelSdkError::AlreadyShutdown)))) {
            let left = pipeline.queue.len();
            warn!(left, "the service stops before all spans are sent");
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").field("is_on", &self.is_on()).finish()
    }
}
