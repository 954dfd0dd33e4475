//! Which execution attempt a task belongs to.

use super::flightdeck::v1;
use super::flyteidl::core::TaskExecutionIdentifier;

/// The execution attempt that a task belongs to. Its names are one piece of
/// memory, because a million tasks have one each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ExecutionId {
    /// Project, domain, name and node, one after the other.
    names: Box<str>,
    /// Where each but the last ends: a message of gRPC has less than 4 GiB.
    ends: [u32; 3],
    /// The attempt, from 0.
    pub attempt: u32,
}

impl ExecutionId {
    fn new([project, domain, name, node]: [&str; 4], attempt: u32) -> Self {
        let mut end = 0;
        let ends = [project, domain, name].map(|name| {
            end += name.len();
            u32::try_from(end).unwrap_or(u32::MAX)
        });
        Self { names: [project, domain, name, node].concat().into(), ends, attempt }
    }

    fn end(&self, of: usize) -> usize {
        self.ends[of] as usize
    }

    /// The project.
    pub fn project(&self) -> &str {
        &self.names[..self.end(0)]
    }

    /// The domain, for example `production`.
    pub fn domain(&self) -> &str {
        &self.names[self.end(0)..self.end(1)]
    }

    /// The name of the workflow's execution.
    pub fn name(&self) -> &str {
        &self.names[self.end(1)..self.end(2)]
    }

    /// The node's id in its own graph. Nodes of subworkflows repeat it.
    pub fn node(&self) -> &str {
        &self.names[self.end(2)..]
    }
}

impl From<&TaskExecutionIdentifier> for ExecutionId {
    fn from(id: &TaskExecutionIdentifier) -> Self {
        let node = id.node_execution_id.as_ref();
        let execution = node.and_then(|node| node.execution_id.as_ref());
        let [project, domain, name] = execution.map_or([""; 3], |execution| {
            [&execution.project, &execution.domain, &execution.name].map(String::as_str)
        });
        let node = node.map_or("", |node| &node.node_id);
        Self::new([project, domain, name, node], id.retry_attempt)
    }
}

impl From<&v1::Execution> for ExecutionId {
    fn from(execution: &v1::Execution) -> Self {
        let v1::Execution { project, domain, name, node, attempt } = execution;
        Self::new([project, domain, name, node], *attempt)
    }
}

impl From<&ExecutionId> for v1::Execution {
    fn from(id: &ExecutionId) -> Self {
        Self {
            project: id.project().to_owned(),
            domain: id.domain().to_owned(),
            name: id.name().to_owned(),
            node: id.node().to_owned(),
            attempt: id.attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_comes_back_also_an_empty_one() {
        for names in [["", "", "", ""], ["p", "", "n", ""], ["flytesnacks", "d", "", "n0-é"]] {
            let [project, domain, name, node] = names.map(str::to_owned);
            let execution = v1::Execution { project, domain, name, node, attempt: 2 };
            let id = ExecutionId::from(&execution);
            assert_eq!([id.project(), id.domain(), id.name(), id.node()], names);
            assert_eq!(v1::Execution::from(&id), execution);
        }
    }

    #[test]
    fn names_that_only_together_are_the_same_differ() {
        let id = |project: &str, domain: &str| ExecutionId::new([project, domain, "", ""], 0);
        assert_ne!(id("ab", "c"), id("a", "bc"));
    }
}
