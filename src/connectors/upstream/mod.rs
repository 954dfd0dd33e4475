//! Connector services that tasks are forwarded to.
//!
//! A task type, or a sensor's class, that no connector of this process has goes
//! to an upstream: a connector service elsewhere, or a `pyflyte serve
//! connector` that is started and supervised here. Its tasks have their actors
//! like any other; their meta is the upstream's bytes, untouched.

mod channel;
mod client;
mod error;
mod forwarder;
mod list;
mod member;
mod modules;
mod pool;
mod resource;
mod tasks;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::timeout};

use self::{
    client::Client,
    forwarder::Upstream,
    list::Listing,
    member::{Member, State},
    pool::Pool,
};
use crate::{
    config::{self, Config},
    connector::{ConnectorRegistry, RegistryError},
};

/// How long the start waits for the list of an upstream that runs elsewhere.
const ENDPOINT_WAIT: Duration = Duration::from_secs(2);

/// Every upstream of a service, until this is dropped.
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
}

/// Upstreams that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The name is taken.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Upstreams {
    /// Registers every upstream of the configuration, and begins to ask what
    /// each has.
    ///
    /// # Errors
    /// If the name of one is that of a connector.
    pub fn start(
        config: &Config,
        registry: &Arc<ConnectorRegistry>,
    ) -> Result<Self, UpstreamError> {
        let mut listers = JoinSet::new();
        let mut upstreams = Vec::new();
        for settings in &config.upstream {
            let members = members(settings);
            let client = Client::new(&settings.name, Pool::new(members), &config.tasks);
            let client = Arc::new(client);
            registry.register_forwarder(Arc::new(Upstream::new(settings, client.clone())))?;
            let (progress, listing) = watch::channel(Listing::Unasked);
            listers.spawn(list::keep_fresh(client, registry.clone(), progress));
            upstreams.push(Running { listing });
        }
        Ok(Self { upstreams, _listers: listers })
    }

    /// Waits until it is known what the upstreams have: for those that run
    /// elsewhere only a moment, because they may be away for long.
    ///
    /// # Errors
    /// If a worker that is waited for cannot be started.
    pub async fn ready(&self) -> Result<(), UpstreamError> {
        for upstream in &self.upstreams {
            let mut listing = upstream.listing.clone();
            let listed = listing.wait_for(|listing| *listing == Listing::Listed);
            // Late, or never: its tasks are answered for meanwhile.
            let _ = timeout(ENDPOINT_WAIT, listed).await;
        }
        Ok(())
    }
}

fn members(settings: &config::Upstream) -> Vec<Arc<Member>> {
    let endpoint = settings.endpoint.iter().map(|address| {
        let member = Member::new();
        member.set(State::Up(channel::to(address.endpoint().clone())));
        Arc::new(member)
    });
    endpoint.collect()
}
