//! Which connector serves which task category.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

use super::{Connector, TaskCategory};
use crate::wire::flyteidl::admin::{self, Agent};

/// Task category to connector; one connector a category.
///
/// Look-ups take no lock and see the registry as it is at that moment, so
/// connectors may come while the service runs.
#[derive(Debug, Default)]
pub struct ConnectorRegistry {
    table: ArcSwap<Table>,
}

#[derive(Debug, Clone, Default)]
struct Table {
    by_category: HashMap<TaskCategory, Connector>,
    /// Categories in the order of their registration, which `ListAgents` keeps.
    order: Vec<TaskCategory>,
    /// What `ListAgents` answers, made once for each change.
    agents: Vec<Agent>,
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
                if let Some(present) = table.by_category.get(&category) {
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

    /// The connector of a category.
    pub fn get(&self, category: &TaskCategory) -> Option<Connector> {
        self.table.load().by_category.get(category).cloned()
    }

    /// What is known of the connector of this name (`GetAgent`).
    pub fn agent(&self, name: &str) -> Option<Agent> {
        let table = self.table.load();
        table.agents.iter().find(|agent| agent.name == name).cloned()
    }

    /// All connectors, in the order of their registration (`ListAgents`).
    pub fn agents(&self) -> Vec<Agent> {
        self.table.load().agents.clone()
    }

    fn change(
        &self,
        edit: impl Fn(&mut Table) -> Result<(), RegistryError>,
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
        outcome
    }
}

impl Table {
    fn insert(&mut self, connector: &Connector) -> Result<(), RegistryError> {
        for category in connector.task_categories() {
            let before = self.by_category.insert(category.clone(), connector.clone());
            if before.is_none() {
                self.order.push(category);
            }
        }
        self.agents = self.list_agents()?;
        Ok(())
    }

    fn list_agents(&self) -> Result<Vec<Agent>, RegistryError> {
        let mut agents: Vec<Agent> = Vec::new();
        for category in &self.order {
            let connector = &self.by_category[category];
            let known = agents.iter().position(|a| a.name == connector.name());
            let at = known.unwrap_or_else(|| {
                agents.push(Agent {
                    name: connector.name().to_owned(),
                    is_sync: connector.is_sync(),
                    ..Agent::default()
                });
                agents.len() - 1
            });
            let agent = &mut agents[at];
            if agent.is_sync != connector.is_sync() {
                return Err(RegistryError::MixedKinds(agent.name.clone()));
            }
            agent.supported_task_types.push(category.name.clone());
            agent.supported_task_categories.push(admin::TaskCategory::from(category));
        }
        Ok(agents)
    }
}
