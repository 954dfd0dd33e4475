//! What an upstream has, asked again and again.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tracing::{info, warn};

use super::{client::Client, elsewhere::Elsewhere};
use crate::connector::ConnectorRegistry;

/// How often propeller asks, and so do we.
const INTERVAL: Duration = Duration::from_secs(10);

/// How often an upstream is asked that has not answered yet.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);

/// When asking for a first answer becomes less frequent.
const FIRST_WHILE: Duration = Duration::from_secs(60);

/// When a first answer is late; a worker takes some seconds to start.
const LATE: Duration = Duration::from_secs(10);

/// How far a list has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// Not asked yet.
    Unasked,
    /// It has not answered for a while.
    Late,
    /// There is a list.
    Listed,
}

/// Keeps the registry's list of an upstream fresh, for ever. Of one that runs
/// elsewhere it is also found out here that a connection is dead.
pub(super) async fn keep_fresh(
    client: Arc<Client>,
    registry: Arc<ConnectorRegistry>,
    progress: watch::Sender<Listing>,
    elsewhere: Option<Elsewhere>,
) {
    let began = Instant::now();
    loop {
        let listed = refresh(&client, &registry, &progress, began).await;
        if let (false, Some(elsewhere)) = (listed, &elsewhere) {
            elsewhere.connect();
        }
        let is_first = *progress.borrow() != Listing::Listed && began.elapsed() < FIRST_WHILE;
        sleep(if is_first && !listed { FIRST_INTERVAL } else { INTERVAL }).await;
    }
}

/// Asks once; a change of what is known is logged. A list that failed leaves
/// the one before.
async fn refresh(
    client: &Client,
    registry: &ConnectorRegistry,
    progress: &watch::Sender<Listing>,
    began: Instant,
) -> bool {
    let upstream = client.name();
    match client.list().await {
        Ok(agents) => {
            let changed = registry.set_agents(upstream, &agents);
            let before = progress.send_replace(Listing::Listed);
            if changed || before != Listing::Listed {
                let names = agents.iter().map(|agent| agent.name.as_str());
                let connectors = names.collect::<Vec<_>>().join(", ");
                info!(upstream, connectors, "the upstream lists its connectors");
            }
            true
        }
        Err(error) => {
            // What it listed before stays in force.
            if *progress.borrow() == Listing::Unasked && began.elapsed() > LATE {
                progress.send_replace(Listing::Late);
                warn!(upstream, %error, "the upstream has not listed its connectors yet");
            }
            false
        }
    }
}
