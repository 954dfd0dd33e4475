//! What an operator sees of the service: logs and Prometheus metrics.

mod labels;
pub mod logs;
mod metrics;
mod server;
mod summary;

pub use metrics::{Metrics, Operation, RequestMetrics, TaskGauge, TaskMetrics};
pub use server::ServerMetrics;
