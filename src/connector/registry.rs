//! Which connector serves which task category.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::{
    Connector, Forwarder, TaskCategory, TaskRequest,
    routing::{Route, Table},
};
use crate::wire::flyteidl::admin::Agent;

/// Task category to connector; one connector a category, and forwarders for
/// what no connector here claims.
///
/// Look-ups take no lock and see the registry as it is at that moment, so
/// connectors may come while the service runs.
#[derive(Debug, Default)]
pub struct ConnectorRegistry {
    table: ArcSwap<Table>,
    changed: Notify,
}

/// A connector that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Another connector serves the category.
    #[error(
        "duplicate connector for task type {category}: {present:?} serves it, so {refused:?} \
         cannot; register it as an override to replace the former"
    )]
    Duplicate {
        /// The category that both claim.
        category: TaskCategory,
        /// The connector that has it.
        present: String,
        /// The connector that was refused.
        refused: String,
    },
    /// One name stands for a sync and an async connector: `ListAgents` has one
    /// `is_sync` for each name.
    #[error("connector {0:?} is registered as sync and as async; give one of them another name")]
    MixedKinds(String),
    /// A forwarder has the name of another one or of a connector: no handle
    /// would tell them apart.
    #[error("there is a connector {0:?} already, so no upstream can have this name; rename it")]
    NameTaken(String),
}

impl ConnectorRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connector for all its categories, or for none of them if one is
    /// taken.
    pub fn register(&self, connector: Connector) -> Result<(), RegistryError> {
        self.change(|table| {
            for category in connector.task_categories() {
                if let Some(present) = table.native(&category) {
                    return Err(RegistryError::Duplicate {
                        category,
                        present: present.name().to_owned(),
                        refused: connector.name().to_owned(),
                    });
                }
            }
            table.insert(&connector)
        })
    }

    /// Adds a connector in the place of whatever serves its categories now.
    pub fn register_override(&self, connector: Connector) -> Result<(), RegistryError> {
        self.change(|table| table.insert(&connector))
    }

    /// Adds a forwarder behind those that there are. What it has is not known
    /// before [`ConnectorRegistry::set_agents`].
    pub fn register_forwarder(&self, forwarder: Arc<dyn Forwarder>) -> Result<(), RegistryError> {
        self.change(|table| table.insert_forwarder(forwarder.clone()))
    }

    /// Notes what the service behind a forwarder lists, in the place of what
    /// it listed before; true if that has changed.
    pub fn set_agents(&self, forwarder: &str, agents: &[Agent]) -> bool {
        let mut changed = false;
        let outcome = self.change(|table| {
            changed = table.set_agents(forwarder, agents);
            Ok(())
        });
        outcome.is_ok() && changed
    }

    /// The connector that is asked first for a category.
    pub fn get(&self, category: &TaskCategory) -> Option<Connector> {
        self.table.load().first(category).cloned()
    }

    /// True if some connector serves the category.
    pub fn serves(&self, category: &TaskCategory) -> bool {
        self.table.load().first(category).is_some()
    }

    /// Who runs a task that is to be created.
    pub fn route(&self, category: &TaskCategory, task: &TaskRequest) -> Route {
        self.table.load().route(category, |connector| connector.claims(task))
    }

    /// Who runs a task inside the call.
    pub fn route_sync(&self, category: &TaskCategory) -> Route {
        self.table.load().route(category, Connector::is_sync)
    }

    /// Who has the task of a plain meta.
    pub fn route_meta(&self, category: &TaskCategory, meta: &[u8]) -> Route {
        self.table.load().route(category, |connector| connector.claims_meta(meta))
    }

    /// The connector that made a handle, by the name in it.
    pub fn owner(&self, category: &TaskCategory, name: &str, is_sync: bool) -> Option<Connector> {
        self.table.load().owner(category, name, is_sync)
    }

    /// Completes at the next change. Make it before the look whose outcome it
    /// is to follow, and [`enable`](tokio::sync::futures::Notified::enable) it.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// What is known of the connector of this name (`GetAgent`).
    pub fn agent(&self, name: &str) -> Option<Agent> {
        let table = self.table.load();
        table.agents.iter().find(|agent| agent.name == name).cloned()
    }

    /// All connectors, those of this process in the order of their
    /// registration, then the forwarded ones (`ListAgents`).
    pub fn agents(&self) -> Vec<Agent> {
        self.table.load().agents.clone()
    }

    /// The names of all connectors and forwarders.
    pub fn names(&self) -> Vec<String> {
        self.table.load().names()
    }

    fn change(
        &self,
        mut edit: impl FnMut(&mut Table) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let mut outcome = Ok(());
        self.table.rcu(|table| {
            let mut changed = Table::clone(table);
            outcome = edit(&mut changed);
            match outcome {
                Ok(()) => Arc::new(changed),
                Err(_) => table.clone(),
            }
        });
        self.changed.notify_waiters();
        outcome
    }
}
