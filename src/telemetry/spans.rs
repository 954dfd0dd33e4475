//! What becomes of the spans that are to be sent.

use std::sync::Arc;

use prometheus::{IntCounter, Registry};

use super::metrics::register;

/// Counters of spans, shared by whoever handles them. They can be in the
/// registry of one service.
#[derive(Debug, Clone)]
pub struct SpanMetrics(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    sent: IntCounter,
    failed: IntCounter,
    dropped: IntCounter,
}

impl SpanMetrics {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self(Arc::new(Counters {
            sent: IntCounter::new("flightdeck_spans_sent_total", "Spans that the collector took")?,
            failed: IntCounter::new(
                "flightdeck_spans_failed_total",
                "Spans that were lost because the collector did not take them",
            )?,
            dropped: IntCounter::new(
                "flightdeck_spans_dropped_total",
                "Spans that were lost because too many waited for the collector",
            )?,
        })))
    }

    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        for counter in [&self.0.sent, &self.0.failed, &self.0.dropped] {
            register(registry, counter.clone())?;
        }
        Ok(())
    }

    pub(super) fn sent(&self, spans: usize) {
        self.0.sent.inc_by(spans as u64);
    }

    pub(super) fn failed(&self, spans: usize) {
        self.0.failed.inc_by(spans as u64);
    }

    pub(super) fn dropped(&self, spans: usize) {
        self.0.dropped.inc_by(spans as u64);
    }

    pub(super) fn dropped_so_far(&self) -> u64 {
        self.0.dropped.get()
    }
}
