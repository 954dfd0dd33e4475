//! The execution that a task belongs to.

use clap::Args as ClapArgs;

use crate::wire::flyteidl::core::{
    NodeExecutionIdentifier, TaskExecutionIdentifier, WorkflowExecutionIdentifier,
};

/// Whose task it is, for what shows or keeps tasks by execution. A Create that
/// names the same execution, attempt and output prefix again gets the same
/// task.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "The execution that the task belongs to")]
pub(super) struct ExecutionArgs {
    /// The project
    #[arg(long)]
    project: Option<String>,

    /// The domain, such as development
    #[arg(long)]
    domain: Option<String>,

    /// The name of the workflow's execution
    #[arg(long, value_name = "NAME")]
    execution: Option<String>,

    /// The id of the node
    #[arg(long, value_name = "ID")]
    node: Option<String>,

    /// The attempt, from 0
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u32>,
}

impl ExecutionArgs {
    /// True if no flag was given.
    pub(super) fn is_empty(&self) -> bool {
        let Self { project, domain, execution, node, attempt } = self;
        [project, domain, execution, node].into_iter().all(Option::is_none) && attempt.is_none()
    }

    /// Puts what was given into an id, and leaves the rest of it alone.
    pub(super) fn fill(self, id: &mut TaskExecutionIdentifier) {
        let node: &mut NodeExecutionIdentifier = id.node_execution_id.get_or_insert_default();
        let execution: &mut WorkflowExecutionIdentifier = node.execution_id.get_or_insert_default();
        set(&mut execution.project, self.project);
        set(&mut execution.domain, self.domain);
        set(&mut execution.name, self.execution);
        set(&mut node.node_id, self.node);
        set(&mut id.retry_attempt, self.attempt);
    }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}
