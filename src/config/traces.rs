//! `[traces]`

use std::time::Duration;

use serde::Deserialize;

/// `[traces]`: OpenTelemetry's traces, sent to a collector over OTLP. What is
/// absent here is taken from OpenTelemetry's variables (`OTEL_...`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Traces {
    /// The URL of the collector. Without one, here or in
    /// `OTEL_EXPORTER_OTLP_(TRACES_)ENDPOINT`, there are no traces.
    pub endpoint: Option<String>,
    /// How the collector is spoken to; gRPC if nothing says otherwise.
    pub protocol: Option<TraceProtocol>,
    /// The part of the requests that are traced, from 0 to 1, where the caller
    /// has not decided; all if nothing says otherwise.
    pub sample_ratio: Option<f64>,
    /// Whether the trace of a task that fails is sent although it was not
    /// sampled.
    pub failures: bool,
    /// How long one export may take, its retries included; 3 s if nothing says
    /// otherwise.
    #[serde(with = "humantime_serde")]
    pub timeout: Option<Duration>,
    /// How long a stop waits until what is left is sent.
    #[serde(with = "humantime_serde")]
    pub stop_timeout: Duration,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            sample_ratio: None,
            failures: true,
            timeout: None,
            stop_timeout: Duration::from_secs(3),
        }
    }
}

/// OTLP's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TraceProtocol {
    /// gRPC, usually on port 4317.
    Grpc,
    /// Protobuf over HTTP, usually on port 4318.
    Http,
}

impl TryFrom<String> for TraceProtocol {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "grpc" => Ok(Self::Grpc),
            "http" | "http/protobuf" => Ok(Self::Http),
            _ => Err(format!("{name:?} is no protocol of traces; there are \"grpc\" and \"http\"")),
        }
    }
}
