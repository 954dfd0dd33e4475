//! The metrics of upstreams.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::metrics::register;

/// How the upstreams are, and their workers.
#[derive(Debug)]
pub struct UpstreamMetrics {
    workers_up: IntGaugeVec,
    worker_restarts: IntCounterVec,
}

impl UpstreamMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let workers_up = Opts::new(
            "flightdeck_upstream_workers_up",
            "Workers of an upstream that are SERVING now",
        );
        let worker_restarts = Opts::new(
            "flightdeck_upstream_worker_restarts_total",
            "Workers of an upstream that were started again, by what ended them",
        );
        Ok(Self {
            workers_up: register(registry, IntGaugeVec::new(workers_up, &["upstream"])?)?,
            worker_restarts: register(
                registry,
                IntCounterVec::new(worker_restarts, &["upstream", "cause"])?,
            )?,
        })
    }

    /// Says that this upstream has workers, of which none is up.
    pub fn has_workers(&self, upstream: &str) {
        self.workers_up.with_label_values(&[upstream]).set(0);
    }

    /// Counts a worker as up for as long as the gauge lives.
    pub fn worker_up(&self, upstream: &str) -> WorkerGauge {
        let gauge = self.workers_up.with_label_values(&[upstream]);
        gauge.inc();
        WorkerGauge(gauge)
    }

    /// Counts a worker that is started again: after `exit`, after a `hang`, or
    /// because its `start` failed.
    pub fn worker_restarted(&self, upstream: &str, cause: &str) {
        self.worker_restarts.with_label_values(&[upstream, cause]).inc();
    }
}

/// One worker, counted in `flightdeck_upstream_workers_up` until this is dropped.
#[derive(Debug)]
pub struct WorkerGauge(IntGauge);

impl Drop for WorkerGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}
