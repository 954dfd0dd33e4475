//! The key under which a connector is found.

use std::fmt;

use crate::wire::flyteidl::{admin, core::TaskTemplate};

/// A task type with its version: what a connector declares and a request asks
/// for. Every task type of flytekit has version 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskCategory {
    /// The task type, for example `sensor`.
    pub name: String,
    /// The version of the task type.
    pub version: i32,
}

impl TaskCategory {
    /// A category of this name and version.
    pub fn new(name: impl Into<String>, version: i32) -> Self {
        Self { name: name.into(), version }
    }

    /// The category of a template.
    pub fn of(template: &TaskTemplate) -> Self {
        Self::new(&template.r#type, template.task_type_version)
    }

    /// The category that a Get, Delete, GetTaskLogs or GetTaskMetrics asks
    /// for: `task_category` if it has a name, else the deprecated `task_type`
    /// with version 0, as in flytekit.
    pub fn requested(category: Option<&admin::TaskCategory>, task_type: &str) -> Self {
        match category.filter(|category| !category.name.is_empty()) {
            Some(category) => Self::new(&category.name, category.version),
            None => Self::new(task_type, 0),
        }
    }
}

impl From<&str> for TaskCategory {
    /// Version 0 of this task type.
    fn from(name: &str) -> Self {
        Self::new(name, 0)
    }
}

impl From<&TaskCategory> for admin::TaskCategory {
    fn from(category: &TaskCategory) -> Self {
        Self { name: category.name.clone(), version: category.version }
    }
}

impl fmt::Display for TaskCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (version {})", self.name, self.version)
    }
}
