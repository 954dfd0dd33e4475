//! `flightdeck serve`

use std::{num::NonZero, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};
use tracing::{info, warn};

use super::{all_connectors, print_line, table};
use crate::{
    config::{Config, Flags, Upstream},
    connector::{ConnectorRegistry, RegistryError},
    server::Service,
    supervisor::World,
    telemetry::{
        Traces,
        logs::{self, Writing},
    },
};

/// The upstream of `--modules`.
const PYTHON: &str = "python";
const PYFLYTE: [&str; 7] =
    ["pyflyte", "serve", "connector", "--port", "{port}", "--prometheus_port", "{metrics_port}"];

/// What pyflyte calls the service; both mean the same.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Connector,
    Agent,
}

/// The flags of `flightdeck serve`: pyflyte's, and `--config`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Accepted as in `pyflyte serve connector`; it changes nothing
    #[arg(value_enum)]
    kind: Option<Kind>,

    /// The gRPC port [default: 8000]
    #[arg(long)]
    port: Option<u16>,

    /// The Prometheus port [default: 9090]
    #[arg(long, alias = "prometheus_port", value_name = "PORT")]
    prometheus_port: Option<u16>,

    /// Threads that serve requests and run tasks [default: one for each core]
    #[arg(long, value_name = "THREADS")]
    worker: Option<NonZero<u16>>,

    /// Stop after this many seconds, as if by SIGTERM
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,

    /// A Python module with connectors, as for `pyflyte serve connector`, which is
    /// started and supervised for it; may be repeated
    #[arg(long, value_name = "MODULE")]
    modules: Vec<String>,

    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "FLIGHTDECK_CONFIG")]
    config: Option<PathBuf>,

    /// Check the configuration and exit
    #[arg(long)]
    check_config: bool,
}

pub(super) fn run(
    args: Args,
    register: impl FnOnce(&ConnectorRegistry) -> Result<(), RegistryError>,
) -> anyhow::Result<ExitCode> {
    let flags = Flags {
        port: args.port,
        metrics_port: args.prometheus_port,
        workers: args.worker.map(|workers| usize::from(workers.get())),
    };
    let mut config = Config::load(args.config.as_deref(), std::env::vars(), &flags)?;
    if !args.modules.is_empty() {
        let upstream = python(&args.modules, &config.upstream);
        config.upstream.push(upstream);
    }
    let connectors = all_connectors(&config, register)?;
    if args.check_config {
        print_line(&"the configuration is valid");
        return Ok(ExitCode::SUCCESS);
    }
    let stop_after = args.timeout.map(Duration::from_secs);
    let runtime = runtime(config.server.workers)?;
    runtime.block_on(async {
        let connectors = Arc::new(connectors);
        let world = World::real();
        let traces = Traces::start(&config.traces, world.trace_ids())?;
        let writing = logs::init(config.log.format, &traces)?;
        let service = Service::bind(config, connectors.clone(), world)?.with_traces(traces);
        print_line(&table::connectors(&connectors.agents()));
        info!(
            grpc = %service.grpc_address()?, prometheus = %service.metrics_address()?,
            admin = service.admin_address()?.map(tracing::field::display), "listening"
        );
        let served = service.run(shutdown(stop_after, writing.clone())?).await;
        if served.is_ok() {
            info!("stopped");
        }
        writing.finish();
        served?;
        anyhow::Ok(())
    })?;
    // A call of a connector that never returns must not hold the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(ExitCode::SUCCESS)
}

/// The upstream that has the connectors of these modules: flytekit's own
/// service, under a name that no other has.
fn python(modules: &[String], others: &[Upstream]) -> Upstream {
    let free = |name: &String| others.iter().all(|other| other.name != *name);
    let names = (2..).map(|n| format!("{PYTHON}-{n}"));
    let name = std::iter::once(PYTHON.to_owned()).chain(names).find(free);
    let mut command: Vec<String> = PYFLYTE.map(str::to_owned).into();
    for module in modules {
        command.extend(["--modules".to_owned(), module.clone()]);
    }
    Upstream { name: name.unwrap_or_default(), command, ..Upstream::default() }
}

/// A runtime with this many threads: 0 is one for each core, and at least two,
/// so that one blocked thread does not stop the service.
fn runtime(workers: usize) -> anyhow::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = if workers == 0 { cores } else { workers };
    Builder::new_multi_thread()
        .worker_threads(workers.max(2))
        .thread_name("flightdeck")
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Completes on SIGTERM, on SIGINT, or after the time; a second signal ends the
/// process at once.
fn shutdown(after: Option<Duration>, writing: Writing) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(async move {
        let time_out = async {
            match after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => info!("SIGTERM"),
            _ = interrupt.recv() => info!("SIGINT"),
            () = time_out => info!("the time of --timeout is over"),
        }
        tokio::spawn(async move {
            // As a shell reports a process that the signal has ended.
            let status = tokio::select! {
                _ = terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
                _ = interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
            };
            warn!("a second signal, ending at once");
            writing.finish();
            std::process::exit(status);
        });
    })
}
