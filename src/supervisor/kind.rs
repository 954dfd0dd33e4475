//! What many tasks have in common, kept once for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    gate::{Flow, Gate},
    tasks::Shared,
};
use crate::{
    connector::{Connector, PollPolicy, TaskCategory},
    telemetry::TaskMetrics,
};

/// How many projects are known before those without tasks are forgotten.
const MANY: usize = 1000;

/// What all tasks of one category, at one connector, in one project share.
pub(super) struct Kind {
    pub(super) category: TaskCategory,
    pub(super) connector: Connector,
    pub(super) policy: PollPolicy,
    pub(super) metrics: Arc<TaskMetrics>,
    /// Which of the connector's polls a task takes its turns with.
    pub(super) flow: Arc<Flow>,
    pub(super) gate: Arc<Gate>,
}

/// The kinds that there are, by project.
#[derive(Default)]
pub(super) struct Kinds(
    // A lock for readers: each Create looks here, and hardly any writes.
    RwLock<HashMap<String, Vec<Arc<Kind>>>>,
);

impl Kinds {
    fn find(
        &self,
        category: &TaskCategory,
        connector: &Connector,
        project: &str,
    ) -> Option<Arc<Kind>> {
        let kinds = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let same =
            |kind: &&Arc<Kind>| kind.connector.is_same(connector) && kind.category == *category;
        kinds.get(project)?.iter().find(same).cloned()
    }

    fn add(&self, project: &str, kind: &Arc<Kind>) {
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Callers name projects as they like, and connectors are replaced.
        let is_used = |kind: &Arc<Kind>| Arc::strong_count(kind) > 1;
        if let Some(kinds) = kinds.get_mut(project) {
            kinds.retain(is_used);
        }
        if kinds.len() % MANY == MANY - 1 {
            kinds.retain(|_, kinds| kinds.iter().any(is_used));
        }
        kinds.entry(project.to_owned()).or_default().push(kind.clone());
    }
}

impl Shared {
    /// The kind of a task.
    pub(super) fn kind(
        &self,
        category: &TaskCategory,
        connector: &Connector,
        project: &str,
    ) -> Arc<Kind> {
        if let Some(known) = self.kinds.find(category, connector, project) {
            return known;
        }
        let kind = Arc::new(Kind {
            policy: match connector {
                Connector::Async(connector) => connector.poll_policy(self.polling.clone()),
                Connector::Sync(_) => self.polling.clone(),
            },
            metrics: self.metrics.tasks(&category.name),
            flow: Arc::new(Flow { task_type: category.name.clone(), project: project.to_owned() }),
            gate: self.gate(connector),
            category: category.clone(),
            connector: connector.clone(),
        });
        self.kinds.add(project, &kind);
        kind
    }
}
