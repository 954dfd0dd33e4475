//! The worker processes of an upstream: started, watched, started again,
//! stopped.
//!
//! Each is a process of the upstream's `command` with ports of its own. Its
//! supervisor tells the upstream's [`Member`] how it is. Between the two is a
//! [`guard`], so that no worker outlives Flightdeck.

mod error;
pub mod guard;
mod health;
pub mod mortal;
mod name;
mod output;
mod ports;
mod process;
mod scrape;
mod supervisor;

use std::{
    mem,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwapOption;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::supervisor::{FirstStart, Supervisor};
use super::member::Member;
use crate::{config::Upstream, telemetry::Metrics};

pub use self::{
    error::{LastLines, WorkerError},
    name::WorkerName,
    scrape::Scraper,
};

/// The workers of one upstream. They are stopped when this is dropped;
/// [`Workers::stop`] also waits for it.
#[derive(Debug)]
pub(super) struct Workers {
    /// Whether the first start of each has to succeed.
    wait: bool,
    first_starts: Vec<watch::Receiver<FirstStart>>,
    metrics: Vec<MetricsEndpoint>,
    stop: CancellationToken,
    supervisors: Mutex<JoinSet<()>>,
}

/// Where a worker tells its metrics while it lives.
#[derive(Debug, Clone)]
struct MetricsEndpoint {
    worker: WorkerName,
    address: Arc<ArcSwapOption<SocketAddr>>,
}

impl Workers {
    /// Starts a worker for each of the members, in a program that has the
    /// subcommand [`guard::SUBCOMMAND`]: it is started anew as their guard.
    pub(super) fn start(
        settings: &Upstream,
        members: &[Arc<Member>],
        metrics: &Arc<Metrics>,
    ) -> Self {
        let upstream: Arc<str> = settings.name.as_str().into();
        let settings = Arc::new(settings.clone());
        let mut workers = Self {
            wait: settings.wait,
            first_starts: Vec::new(),
            metrics: Vec::new(),
            stop: CancellationToken::new(),
            supervisors: Mutex::default(),
        };
        metrics.upstreams().has_workers(&upstream);
        let mut supervisors = JoinSet::new();
        for (n, member) in members.iter().enumerate() {
            let worker = WorkerName::new(&upstream, n);
            let address = Arc::new(ArcSwapOption::empty());
            workers
                .metrics
                .push(MetricsEndpoint { worker: worker.clone(), address: address.clone() });
            let (first_start, outcome) = watch::channel(FirstStart::UnderWay);
            workers.first_starts.push(outcome);
            let supervisor = Supervisor {
                settings: settings.clone(),
                worker,
                member: member.clone(),
                metrics: metrics.clone(),
                metrics_address: address,
                first_start,
                stop: workers.stop.clone(),
            };
            supervisors.spawn(supervisor.run());
        }
        workers.supervisors = supervisors.into();
        workers
    }

    /// Whether the service is to wait for them.
    pub(super) fn wait(&self) -> bool {
        self.wait
    }

    /// Completes when every worker was SERVING once, at once if the settings
    /// say not to wait. It takes `start_timeout` and a moment at most.
    ///
    /// # Errors
    /// If a worker cannot be started, ends, or is not SERVING in time.
    pub(super) async fn ready(&self) -> Result<(), Arc<WorkerError>> {
        if !self.wait {
            return Ok(());
        }
        let first_starts = self.first_starts.iter().cloned().map(|mut first| async move {
            let over = first.wait_for(|first| !matches!(first, FirstStart::UnderWay)).await;
            match over.as_deref() {
                Ok(FirstStart::Failed(error)) => Err(error.clone()),
                // Without its supervisor it is being stopped.
                Ok(FirstStart::Done | FirstStart::UnderWay) | Err(_) => Ok(()),
            }
        });
        futures::future::try_join_all(first_starts).await.map(|_| ())
    }

    /// Stops every worker: SIGTERM, after `stop_timeout` SIGKILL.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let mut supervisors =
            mem::take(&mut *self.supervisors.lock().unwrap_or_else(PoisonError::into_inner));
        // Each of their waits has a limit.
        while supervisors.join_next().await.is_some() {}
    }
}
