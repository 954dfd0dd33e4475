//! Spans that wait to be sent. The SDK's queue drops what is too much and tells
//! nobody; here it is counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Span, SpanData, SpanProcessor},
};

use super::exporter::Exporter;
use crate::telemetry::SpanMetrics;

/// A queue of a bounded number of spans, and the thread that sends them in
/// batches. Its other settings are the SDK's variables (`OTEL_BSP_...`).
#[derive(Debug)]
pub(super) struct Queue {
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    limit: usize,
    metrics: SpanMetrics,
}

impl Queue {
    pub(super) fn new(exporter: Exporter, limit: usize, metrics: SpanMetrics) -> Self {
        let waiting = exporter.waiting();
        let batches = BatchSpanProcessor::builder(exporter).build();
        Self { batches, waiting, limit, metrics }
    }

    /// How many spans wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Relaxed) >= self.limit {
            self.waiting.fetch_sub(1, Relaxed);
            self.metrics.dropped(1);
            return;
        }
        self.batches.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// A queue that the provider shares with us; its resource is set already.
#[derive(Debug)]
pub(super) struct SharedQueue(pub(super) Arc<Queue>);

impl SpanProcessor for SharedQueue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
}
