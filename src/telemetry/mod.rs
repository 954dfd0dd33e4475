//! What an operator sees of the service: logs, Prometheus metrics and
//! OpenTelemetry's traces.

pub mod exposition;
mod human;
mod json;
mod labels;
pub mod logs;
mod metrics;
pub mod names;
mod rpc;
mod server;
mod spans;
mod subject;
mod summary;
mod tasks;
mod traces;
mod upstream;

pub use metrics::{Metrics, Operation, RequestMetrics};
pub use rpc::Method;
pub use server::ServerMetrics;
pub use spans::SpanMetrics;
pub use subject::{About, Subject, Told};
pub use tasks::{TaskGauge, TaskMetrics};
pub use traces::{RpcSpan, TaskSpan, TaskTrace, Traces, TracesError, inject_trace};
pub use upstream::{UpstreamMetrics, WorkerGauge};

use rpc::code_name;
