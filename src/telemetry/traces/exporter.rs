//! Sends batches of spans, counts what becomes of them, and says so in the log
//! when that changes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use tokio::{runtime::Handle, time::timeout};
use tracing::{info, warn};

use crate::telemetry::SpanMetrics;

/// OTLP's exporter with counts around it.
#[derive(Debug)]
pub(super) struct Exporter {
    otlp: Arc<Otlp>,
    /// Of one export with its retries.
    limit: Duration,
    /// Both transports need a runtime, and the SDK's thread has none.
    runtime: Handle,
    waiting: Arc<AtomicUsize>,
    metrics: SpanMetrics,
    health: Mutex<Health>,
}

/// How the collector does, as far as it was told.
#[derive(Debug, Default)]
struct Health {
    state: State,
    dropped: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Takes,
    /// It takes spans, but fewer than there are.
    TooSlow,
    Fails,
}

impl Exporter {
    /// Made inside of the runtime that it sends on.
    pub(super) fn new(otlp: Otlp, limit: Duration, metrics: SpanMetrics) -> Self {
        Self {
            otlp: Arc::new(otlp),
            limit,
            runtime: Handle::current(),
            waiting: Arc::default(),
            metrics,
            health: Mutex::default(),
        }
    }

    /// The number of spans that wait to be handed to [`SpanExporter::export`].
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        self.waiting.clone()
    }

    /// One line of the log for each change.
    fn note(&self, result: &OTelSdkResult) {
        let dropped = self.metrics.dropped_so_far();
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let before = health.state;
        health.state = match result {
            Err(_) => State::Fails,
            Ok(()) if dropped > health.dropped => State::TooSlow,
            Ok(()) => State::Takes,
        };
        health.dropped = dropped;
        if health.state == before {
            return;
        }
        match (health.state, result) {
            (State::Fails, Err(error)) => warn!(
                %error, dropped,
                "the collector of traces takes no spans: they are counted and thrown away"
            ),
            (State::TooSlow, _) => {
                warn!(dropped, "the collector of traces is too slow: some spans are thrown away");
            }
            _ => info!(dropped, "the collector of traces takes all spans again"),
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.waiting.fetch_sub(count, Relaxed);
        let (otlp, limit) = (self.otlp.clone(), self.limit);
        let sending = self.runtime.spawn(async move {
            timeout(limit, otlp.export(batch)).await.unwrap_or(Err(OTelSdkError::Timeout(limit)))
        });
        let result = sending
            .await
            .unwrap_or_else(|stopped| Err(OTelSdkError::InternalFailure(stopped.to_string())));
        match result {
            Ok(()) => self.metrics.sent(count),
            Err(_) => self.metrics.failed(count),
        }
        self.note(&result);
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Nothing is sent before this.
        if let Some(otlp) = Arc::get_mut(&mut self.otlp) {
            otlp.set_resource(resource);
        }
    }
}
