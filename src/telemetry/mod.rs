//! What an operator sees of the service: logs and Prometheus metrics.

pub mod exposition;
mod labels;
pub mod logs;
mod metrics;
mod server;
mod summary;
mod upstream;

pub use metrics::{Metrics, Operation, RequestMetrics, TaskGauge, TaskMetrics};
pub use server::ServerMetrics;
pub use upstream::{UpstreamMetrics, WorkerGauge};
