//! Propeller's list of agents: asked for every ten seconds, each time on a new
//! connection, and forgotten when one reply fails.

use std::{sync::Arc, time::Duration};

use flightdeck::wire::flyteidl::{
    admin::ListAgentsRequest, service::agent_metadata_service_client::AgentMetadataServiceClient,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::network::{Outages, SimulationClock, channel};

const EVERY: Duration = Duration::from_secs(10);

/// The list, until it is stopped.
pub struct Lister(JoinHandle<()>);

/// Asks for the list, which must come whenever the services can be reached.
pub fn start(clock: &Arc<SimulationClock>, outages: &Arc<Outages>) -> Lister {
    let (clock, outages) = (clock.clone(), outages.clone());
    Lister(tokio::spawn(async move {
        loop {
            let began = clock.moment();
            let mut client = AgentMetadataServiceClient::new(channel());
            let listed = timeout(EVERY, client.list_agents(ListAgentsRequest {})).await;
            let failed = !matches!(&listed, Ok(Ok(list)) if list.get_ref().agents.len() == 1);
            let now = clock.moment();
            assert!(
                !failed || outages.met(began, now),
                "ListAgents from {began:?} to {now:?}: {listed:?}"
            );
            sleep(EVERY).await;
        }
    }))
}

impl Lister {
    /// Ends it: it fails here if a list did not come.
    pub async fn stop(self) {
        self.0.abort();
        if let Err(error) = self.0.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
