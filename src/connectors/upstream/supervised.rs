//! The upstreams that are started here, as the service sees them.

use std::sync::Arc;

use futures::future::{join_all, try_join_all};

use super::{
    member::Member,
    worker::{Scraper, WorkerError, Workers},
};
use crate::{config::Upstream, telemetry::Metrics};

/// The workers of every upstream with a command. They are stopped when this is
/// dropped; [`Supervised::stop`] also waits for it.
#[derive(Debug)]
pub struct Supervised(Vec<Workers>);

impl Supervised {
    /// Starts them all.
    pub fn start(upstreams: &[Upstream], metrics: &Arc<Metrics>) -> Self {
        let own = upstreams.iter().filter(|upstream| !upstream.command.is_empty());
        Self(
            own.map(|upstream| {
                let members = std::iter::repeat_with(|| Arc::new(Member::new()));
                let members: Vec<_> = members.take(upstream.workers).collect();
                Workers::start(upstream, &members, metrics)
            })
            .collect(),
        )
    }

    /// Completes when every worker was SERVING once that is to be waited for.
    ///
    /// # Errors
    /// If one of them cannot be started, ends, or is not SERVING in time.
    pub async fn ready(&self) -> Result<(), Arc<WorkerError>> {
        try_join_all(self.0.iter().map(Workers::ready)).await.map(|_| ())
    }

    /// Stops them all.
    pub async fn stop(&self) {
        join_all(self.0.iter().map(Workers::stop)).await;
    }

    /// What asks them for their metrics, if there are any.
    ///
    /// # Errors
    /// If there can be no HTTP client.
    pub fn scraper(&self) -> reqwest::Result<Option<Scraper>> {
        Scraper::new(&self.0)
    }
}
