//! The metrics of the gRPC server.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use super::metrics::register;

/// Connections, and the requests on them.
#[derive(Debug)]
pub struct ServerMetrics {
    in_flight: IntGauge,
    connections: IntGauge,
    closed: IntCounterVec,
}

impl ServerMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            in_flight: gauge("flightdeck_requests_in_flight", "Requests about tasks under way")?,
            connections: gauge("flightdeck_connections", "gRPC connections open now")?,
            closed: register(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "flightdeck_connections_closed_total",
                        "gRPC connections that the service closed, by why",
                    ),
                    &["reason"],
                )?,
            )?,
        })
    }

    /// The requests about tasks that are under way.
    pub fn in_flight(&self) -> &IntGauge {
        &self.in_flight
    }

    /// Sets how many connections are open.
    pub fn connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Counts a connection that the service closed: `idlest`, `first_byte`,
    /// `age`.
    pub fn connection_closed(&self, reason: &str) {
        self.closed.with_label_values(&[reason]).inc();
    }
}
