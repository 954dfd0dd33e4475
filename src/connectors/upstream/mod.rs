//! Connector services that tasks are forwarded to.
//!
//! A task type, or a sensor's class, that no connector of this process has goes
//! to an upstream: a connector service elsewhere, or a `pyflyte serve
//! connector` that is started and supervised here. Its tasks have their actors
//! like any other; their meta is the upstream's bytes, untouched.

mod channel;
mod client;
mod elsewhere;
mod error;
mod forwarder;
mod list;
mod member;
mod modules;
mod pool;
mod resource;
mod tasks;
mod worker;

use std::{sync::Arc, time::Duration};

use futures::future::{join_all, try_join_all};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use self::{
    client::Client, elsewhere::Elsewhere, forwarder::Upstream, list::Listing, member::Member,
    pool::Pool, worker::Workers,
};
use crate::{
    config::Config,
    connector::{ConnectorRegistry, RegistryError},
    telemetry::Metrics,
};

pub use worker::{LastLines, Scraper, WorkerError, WorkerName, guard, mortal};

/// How long the start waits for the list of an upstream that is there.
const LIST_WAIT: Duration = Duration::from_secs(2);

/// Every upstream of a service, until this is dropped; [`Upstreams::stop`] also
/// waits until no worker is left.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Running>,
    // Ended with this.
    _listers: JoinSet<()>,
}

/// An upstream that is asked what it has.
#[derive(Debug)]
struct Running {
    listing: watch::Receiver<Listing>,
    /// Where it is started here.
    workers: Option<Workers>,
}

/// Upstreams that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The name is taken.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A worker that is waited for cannot be started.
    #[error(transparent)]
    Worker(#[from] Arc<WorkerError>),
}

impl Upstreams {
    /// Registers every upstream of the configuration, starts its workers if it
    /// is one with a command, and begins to ask what each has.
    ///
    /// # Errors
    /// If the name of one is that of a connector.
    pub fn start(
        config: &Config,
        registry: &Arc<ConnectorRegistry>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, UpstreamError> {
        let mut listers = JoinSet::new();
        let mut upstreams = Vec::new();
        for settings in &config.upstream {
            let endpoint = settings.endpoint.as_ref().map(|address| address.endpoint().clone());
            let elsewhere = endpoint.map(Elsewhere::new);
            let members: Vec<Arc<Member>> = match &elsewhere {
                Some(elsewhere) => vec![elsewhere.member()],
                None => (0..settings.workers).map(|_| Arc::new(Member::new())).collect(),
            };
            let workers = elsewhere.is_none().then(|| Workers::start(settings, &members, metrics));
            let client = Client::new(&settings.name, Pool::new(members), &config.tasks);
            let client = Arc::new(client);
            registry.register_forwarder(Arc::new(Upstream::new(settings, client.clone())))?;
            let (progress, listing) = watch::channel(Listing::Unasked);
            listers.spawn(list::keep_fresh(client, registry.clone(), progress, elsewhere));
            upstreams.push(Running { listing, workers });
        }
        Ok(Self { upstreams, _listers: listers })
    }

    /// Waits until it is known what the upstreams have: for those that run
    /// elsewhere only a moment, because they may be away for long, and not at all
    /// for workers that are not to be waited for.
    ///
    /// # Errors
    /// If a worker that is waited for cannot be started.
    pub async fn ready(&self) -> Result<(), UpstreamError> {
        try_join_all(self.upstreams.iter().map(Running::ready)).await.map(|_| ())
    }

    /// Stops the workers: SIGTERM, SIGKILL after their `stop_timeout`.
    pub async fn stop(&self) {
        join_all(self.workers().map(Workers::stop)).await;
    }

    /// What asks the workers for their metrics, if there are any.
    ///
    /// # Errors
    /// If there can be no HTTP client.
    pub fn scraper(&self) -> reqwest::Result<Option<Scraper>> {
        Scraper::new(self.workers())
    }

    fn workers(&self) -> impl Iterator<Item = &Workers> {
        self.upstreams.iter().filter_map(|upstream| upstream.workers.as_ref())
    }
}

impl Running {
    async fn ready(&self) -> Result<(), UpstreamError> {
        if let Some(workers) = &self.workers {
            if !workers.wait() {
                return Ok(());
            }
            workers.ready().await?;
        }
        let mut listing = self.listing.clone();
        let listed = listing.wait_for(|listing| *listing == Listing::Listed);
        // Late, or never: its tasks are answered for meanwhile.
        let _ = timeout(LIST_WAIT, listed).await;
        Ok(())
    }
}
