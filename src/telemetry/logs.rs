//! Log lines: one for each change of a task, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged when `RUST_LOG` says nothing: ractor opens a span for every
/// actor, and the HTTP libraries speak of every frame.
const DEFAULT_FILTER: &str = "info,ractor=warn,h2=warn,hyper=warn,tower=warn";

/// Starts logging, by `RUST_LOG` if it is set. Called once, by the binary.
///
/// # Errors
/// If `RUST_LOG` cannot be parsed, or something else logs already.
pub fn init() -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| anyhow::anyhow!("RUST_LOG={directives} is not a filter: {error}"))?,
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    // A connector's panic is a line of the log like others.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message = panic.payload_as_str(), "a panic");
    }));
    Ok(())
}
