//! The span of one request, by OpenTelemetry's semantic conventions for gRPC.

use http::HeaderMap;
use opentelemetry::{
    Context, ContextGuard, KeyValue,
    trace::{SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use tonic::Code;

use super::{TaskTrace, Traces, propagation, task::shortened};
use crate::telemetry::{
    Method, code_name,
    names::{ERROR_TYPE, RPC_METHOD, RPC_STATUS, RPC_SYSTEM},
};

/// The span of a request that is recorded; of others there is none.
#[derive(Debug, Clone)]
pub struct RpcSpan(Context);

impl Traces {
    /// Begins the span of a request, as a child of the caller's if its headers
    /// name one. None if it is not sampled.
    pub fn begin_rpc(&self, headers: &HeaderMap, method: Method) -> Option<RpcSpan> {
        let pipeline = self.0.as_deref()?;
        let parent = match pipeline.propagates {
            true => propagation::extract(headers),
            false => Context::new(),
        };
        // Attributes cost, so only spans that are recorded get any.
        let builder = pipeline.tracer.span_builder(method.name()).with_kind(SpanKind::Server);
        let span = builder.start_with_context(&pipeline.tracer, &parent);
        if !opentelemetry::trace::Span::is_recording(&span) {
            return None;
        }
        let context = Context::new().with_span(span);
        context.span().set_attributes([
            KeyValue::new(RPC_SYSTEM, "grpc"),
            KeyValue::new(RPC_METHOD, method.name()),
        ]);
        Some(RpcSpan(context))
    }
}

impl RpcSpan {
    /// Makes it the current span, until the guard is dropped: never across an
    /// `.await`.
    pub fn attach(&self) -> ContextGuard {
        self.0.clone().attach()
    }

    /// Ends it. An error is one by the conventions: what the caller did wrong
    /// is none of the server's.
    pub fn end(&self, code: Code, message: Option<String>) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new(RPC_STATUS, code_name(code)));
        if is_error(code) {
            span.set_attribute(KeyValue::new(ERROR_TYPE, code_name(code)));
            span.set_status(Status::error(shortened(message.unwrap_or_default())));
        }
        span.end();
    }

    /// The context of the current request's span, if it is sampled.
    pub fn current() -> Option<SpanContext> {
        let context = Context::map_current(|context| context.span().span_context().clone());
        context.is_sampled().then_some(context)
    }

    /// Says of the current request, if it is sampled, which task it is about,
    /// and links it with the task's trace.
    pub fn describe(task: &TaskTrace, attributes: impl FnOnce() -> Vec<KeyValue>) {
        Context::map_current(|context| {
            let span = context.span();
            if !span.is_recording() {
                return;
            }
            span.set_attributes(attributes());
            // The root of a trace that is not sent would lead nowhere.
            if let Some(root) = task.sampled_root() {
                span.add_link(root, Vec::new());
            }
        });
    }
}

/// The codes that are the server's fault.
fn is_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
