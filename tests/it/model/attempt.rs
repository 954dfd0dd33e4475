//! Which execution attempt a call is about.

use flightdeck::wire::flyteidl::admin::{CreateRequestHeader, CreateTaskRequest};

use crate::common::requests;

/// How propeller runs the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An async task.
    Job,
    /// A sync task that comes as CreateTask, because the list is stale.
    Call,
    /// A sync task that comes as ExecuteTaskSync.
    Execute,
}

/// An attempt of a node. Its id is the same under every parent, as those of
/// nodes in subworkflows are: only the prefix tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    pub kind: Kind,
    pub parent: u8,
    pub number: u32,
}

impl Attempt {
    pub fn task_type(self) -> &'static str {
        match self.kind {
            Kind::Job => "job",
            Kind::Call | Kind::Execute => "call",
        }
    }

    /// The output prefix: it names the attempt.
    pub fn prefix(self) -> String {
        let Self { kind, parent, number } = self;
        format!("s3://bucket/{kind:?}-{parent}/n0/{number}")
    }

    /// The CreateTask of this attempt.
    pub fn create(self) -> CreateTaskRequest {
        requests::create(self.task_type(), &self.prefix(), self.number)
    }

    /// The ExecuteTaskSync of this attempt.
    pub fn header(self) -> CreateRequestHeader {
        let create = self.create();
        CreateRequestHeader {
            template: create.template,
            output_prefix: create.output_prefix,
            task_execution_metadata: create.task_execution_metadata,
            ..CreateRequestHeader::default()
        }
    }

    /// True for a later attempt of the same node.
    pub fn supersedes(self, other: Self) -> bool {
        self.kind == other.kind && self.parent == other.parent && self.number > other.number
    }
}
