//! Log lines: one for each change of a task, to standard error.

use std::{
    io::{BufWriter, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{Metadata, level_filters::LevelFilter};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::filter_fn, fmt, fmt::format::JsonFields,
    layer::SubscriberExt, util::SubscriberInitExt,
};

use super::{Traces, human::HumanLine, json::JsonLine};
use crate::config::LogFormat;

/// What is logged when `RUST_LOG` says nothing: the HTTP libraries speak of
/// every frame.
const DEFAULT_FILTER: &str = "info,h2=warn,hyper=warn,tower=warn";

/// What holds unless `RUST_LOG` names the target itself: ractor opens a span for
/// every actor, and of the exporter's failures one line each is enough.
const QUIET: &str = "ractor=warn,opentelemetry=off,opentelemetry_sdk=off,opentelemetry-otlp=off";

/// Crates whose own spans say nothing of a task. Ours are sent without
/// `tracing`, and those of the libraries are of the exporter too.
const WITHOUT_SPANS: [&str; 13] = [
    env!("CARGO_CRATE_NAME"),
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_otlp",
    "ractor",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
];

/// What of `tracing` is logged, and as what it is written.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Lines that wait to be written; more hold up whoever logs them.
const WAITING_LINES: usize = 16_384;

/// The thread that writes the lines, many at a time: a system call for each
/// would cost more than the rest of it.
#[derive(Clone)]
pub struct Writing(Arc<Mutex<Option<WorkerGuard>>>);

impl Writing {
    /// Writes what is left, before the process ends.
    pub fn finish(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Starts logging, by `RUST_LOG` if it is set, and makes spans of connectors
/// part of the traces. Called once, by the binary.
///
/// # Errors
/// If `RUST_LOG` cannot be parsed, or something else logs already.
pub fn init(format: LogFormat, traces: &Traces) -> anyhow::Result<Writing> {
    let given = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let directives = given.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(format!("{QUIET},{directives}"))
        .map_err(|error| anyhow::anyhow!("RUST_LOG={directives} is not a filter: {error}"))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(BufWriter::new(std::io::stderr()));
    let is_ansi = std::io::stderr().is_terminal();
    let lines: Lines = match format {
        LogFormat::Human => fmt::layer()
            .with_writer(writer)
            .with_ansi(is_ansi)
            .event_format(HumanLine::new(is_ansi))
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .with_writer(writer)
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(JsonLine)
            .with_filter(filter)
            .boxed(),
    };
    tracing_subscriber::registry().with(lines).with(connector_spans(traces)).try_init()?;
    // A connector's panic is a line of the log like others.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message = panic.payload_as_str(), "a panic");
    }));
    Ok(Writing(Arc::new(Mutex::new(Some(guard)))))
}

/// The layer that makes spans of `tracing` part of the trace of the task that a
/// connector is called for, where there are traces. Log levels do not touch it.
pub fn connector_spans<S>(traces: &Traces) -> Option<impl Layer<S> + Send + Sync + use<S>>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
{
    let tracer = traces.tracer()?;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    Some(layer.with_filter(filter_fn(is_of_connector)).with_filter(LevelFilter::INFO))
}

fn is_of_connector(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let krate = target.split_once("::").map_or(target, |(krate, _)| krate);
    !WITHOUT_SPANS.contains(&krate)
}
