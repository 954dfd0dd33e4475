//! Who has a task: connectors of this process, and those that forward.

use std::{collections::HashMap, fmt, sync::Arc};

use super::{Connector, Forwarder, RegistryError, TaskCategory};
use crate::wire::flyteidl::admin::{self, Agent};

/// Who has a task, as far as is known.
#[derive(Debug, Clone)]
pub enum Route {
    /// This connector.
    Connector(Connector),
    /// Perhaps one of these forwarders, which have not told yet what they have.
    Pending(Vec<String>),
    /// Nobody.
    Unknown,
}

/// The registry at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    native: HashMap<TaskCategory, Connector>,
    /// Categories in the order of their registration, which `ListAgents` keeps.
    order: Vec<TaskCategory>,
    forwarders: Vec<Forwarding>,
    /// Who is asked for a task of a category, in this order.
    candidates: HashMap<TaskCategory, Vec<Connector>>,
    /// What `ListAgents` answers, made once for each change.
    pub(super) agents: Vec<Agent>,
}

/// A forwarder and what it has.
#[derive(Clone)]
struct Forwarding {
    to: Arc<dyn Forwarder>,
    /// What its service lists; None until it was asked.
    agents: Option<Vec<Agent>>,
}

impl Table {
    /// The connector that is asked first for a category.
    pub(super) fn first(&self, category: &TaskCategory) -> Option<&Connector> {
        self.candidates.get(category)?.first()
    }

    /// The connector of a task of this category, which `claims` tells apart.
    /// Where nobody claims it, it is for the first to say what is wrong.
    pub(super) fn route(
        &self,
        category: &TaskCategory,
        claims: impl Fn(&Connector) -> bool,
    ) -> Route {
        let pending = || self.forwarders.iter().filter(|forwarding| forwarding.agents.is_none());
        if pending().any(|forwarding| forwarding.to.is_preferred(category)) {
            return Route::Pending(names(pending()));
        }
        let candidates = self.candidates.get(category).map(Vec::as_slice).unwrap_or_default();
        if let Some(connector) = candidates.iter().find(|connector| claims(connector)) {
            return Route::Connector(connector.clone());
        }
        if pending().next().is_some() {
            return Route::Pending(names(pending()));
        }
        candidates.first().map_or(Route::Unknown, |first| Route::Connector(first.clone()))
    }

    /// The connector of this name for a category: one that has it, or a
    /// forwarder, whatever it lists now.
    pub(super) fn owner(
        &self,
        category: &TaskCategory,
        name: &str,
        is_sync: bool,
    ) -> Option<Connector> {
        let candidates = self.candidates.get(category).into_iter().flatten();
        let mut named = candidates.filter(|connector| connector.name() == name);
        if let Some(connector) = named.find(|connector| connector.is_sync() == is_sync) {
            return Some(connector.clone());
        }
        let forwarding = self.forwarders.iter().find(|forwarding| forwarding.to.name() == name)?;
        Some(forwarding.to.connector(category, is_sync))
    }

    /// The names of all connectors, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let native = self.order.iter().map(|category| self.native[category].name());
        let forwarders = self.forwarders.iter().map(|forwarding| forwarding.to.name());
        for name in native.chain(forwarders) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The connector of this process for a category.
    pub(super) fn native(&self, category: &TaskCategory) -> Option<&Connector> {
        self.native.get(category)
    }

    /// Puts a connector in the place of whatever serves its categories now.
    pub(super) fn insert(&mut self, connector: &Connector) -> Result<(), RegistryError> {
        for category in connector.task_categories() {
            let before = self.native.insert(category.clone(), connector.clone());
            if before.is_none() {
                self.order.push(category);
            }
        }
        self.refresh()
    }

    pub(super) fn insert_forwarder(&mut self, to: Arc<dyn Forwarder>) -> Result<(), RegistryError> {
        if self.names().iter().any(|name| name == to.name()) {
            return Err(RegistryError::NameTaken(to.name().to_owned()));
        }
        self.forwarders.push(Forwarding { to, agents: None });
        self.refresh()
    }

    /// Notes what a forwarder has; false if it had just that before.
    pub(super) fn set_agents(&mut self, name: &str, agents: &[Agent]) -> bool {
        let mut named = self.forwarders.iter_mut();
        let Some(forwarding) = named.find(|forwarding| forwarding.to.name() == name) else {
            return false;
        };
        if forwarding.agents.as_deref() == Some(agents) {
            return false;
        }
        forwarding.agents = Some(agents.to_vec());
        // Only connectors of this process can be in each other's way.
        self.refresh().is_ok()
    }

    fn refresh(&mut self) -> Result<(), RegistryError> {
        self.candidates = self.candidates();
        self.agents = self.native_agents()?;
        let forwarded = self.forwarders.iter().flat_map(|forwarding| {
            let agents = forwarding.agents.iter().flatten();
            agents.filter_map(|agent| self.forwarded_agent(forwarding.to.name(), agent))
        });
        let forwarded: Vec<Agent> = forwarded.collect();
        self.agents.extend(forwarded);
        Ok(())
    }

    fn candidates(&self) -> HashMap<TaskCategory, Vec<Connector>> {
        let mut candidates: HashMap<TaskCategory, Vec<Connector>> = HashMap::new();
        let mut add = |category: &TaskCategory, connector: Connector| {
            candidates.entry(category.clone()).or_default().push(connector);
        };
        self.each_forwarded(true, &mut add);
        self.native.iter().for_each(|(category, connector)| add(category, connector.clone()));
        self.each_forwarded(false, &mut add);
        candidates
    }

    fn each_forwarded(&self, preferred: bool, add: &mut impl FnMut(&TaskCategory, Connector)) {
        for forwarding in &self.forwarders {
            for agent in forwarding.agents.iter().flatten() {
                for category in categories(agent) {
                    if forwarding.to.is_preferred(&category) == preferred {
                        add(&category, forwarding.to.connector(&category, agent.is_sync));
                    }
                }
            }
        }
    }

    /// The connectors of this process with the categories in which they are
    /// asked first.
    fn native_agents(&self) -> Result<Vec<Agent>, RegistryError> {
        let mut agents: Vec<Agent> = Vec::new();
        for category in &self.order {
            let connector = &self.native[category];
            let known = agents.iter().position(|agent| agent.name == connector.name());
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
            if self.first(category).is_some_and(|first| first.name() == connector.name()) {
                agent.supported_task_types.push(category.name.clone());
                agent.supported_task_categories.push(admin::TaskCategory::from(category));
            }
        }
        agents.retain(|agent| !agent.supported_task_types.is_empty());
        Ok(agents)
    }

    /// An agent of a forwarder with the categories in which that is asked
    /// first; propeller must find each category once.
    fn forwarded_agent(&self, forwarder: &str, agent: &Agent) -> Option<Agent> {
        let first = |category: &TaskCategory| self.first(category).map(Connector::name);
        let categories = categories(agent);
        let kept = categories.iter().filter(|category| first(category) == Some(forwarder));
        let kept: Vec<&TaskCategory> = kept.collect();
        if kept.is_empty() {
            return None;
        }
        Some(Agent {
            supported_task_types: kept.iter().map(|category| category.name.clone()).collect(),
            supported_task_categories: kept.iter().map(|category| (*category).into()).collect(),
            ..agent.clone()
        })
    }
}

/// What an agent runs; services older than categories list task types alone.
fn categories(agent: &Agent) -> Vec<TaskCategory> {
    match agent.supported_task_categories.as_slice() {
        [] => agent.supported_task_types.iter().map(|name| name.as_str().into()).collect(),
        listed => listed.iter().map(|one| TaskCategory::new(&one.name, one.version)).collect(),
    }
}

fn names<'a>(forwardings: impl Iterator<Item = &'a Forwarding>) -> Vec<String> {
    forwardings.map(|forwarding| forwarding.to.name().to_owned()).collect()
}

impl fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarding")
            .field("to", &self.to.name())
            .field("agents", &self.agents)
            .finish()
    }
}
