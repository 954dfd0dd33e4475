//! Requests as propeller sends them.

use bytes::Bytes;
use flightdeck::{
    connector::TaskCategory,
    supervisor::TaskQuery,
    wire::flyteidl::{
        admin::{
            CreateRequestHeader, CreateTaskRequest, DeleteTaskRequest, GetTaskRequest,
            TaskCategory as WireCategory, TaskExecutionMetadata,
        },
        core::{
            NodeExecutionIdentifier, TaskExecutionIdentifier, TaskTemplate,
            WorkflowExecutionIdentifier,
        },
    },
};

/// The template of a task type.
pub fn template(task_type: &str) -> TaskTemplate {
    TaskTemplate { r#type: task_type.to_owned(), ..TaskTemplate::default() }
}

/// The Create of an execution attempt of node `n0`.
pub fn create(task_type: &str, output_prefix: &str, attempt: u32) -> CreateTaskRequest {
    create_in("f1", task_type, output_prefix, attempt)
}

/// The same, in a workflow's execution of this name.
pub fn create_in(
    execution: &str,
    task_type: &str,
    output_prefix: &str,
    attempt: u32,
) -> CreateTaskRequest {
    CreateTaskRequest {
        template: Some(template(task_type)),
        output_prefix: output_prefix.to_owned(),
        task_execution_metadata: Some(TaskExecutionMetadata {
            task_execution_id: Some(TaskExecutionIdentifier {
                node_execution_id: Some(NodeExecutionIdentifier {
                    node_id: "n0".to_owned(),
                    execution_id: Some(WorkflowExecutionIdentifier {
                        project: "flytesnacks".to_owned(),
                        domain: "development".to_owned(),
                        name: execution.to_owned(),
                        ..WorkflowExecutionIdentifier::default()
                    }),
                }),
                retry_attempt: attempt,
                ..TaskExecutionIdentifier::default()
            }),
            ..TaskExecutionMetadata::default()
        }),
        ..CreateTaskRequest::default()
    }
}

/// A Create by hand, without an execution.
pub fn anonymous(task_type: &str) -> CreateTaskRequest {
    CreateTaskRequest { template: Some(template(task_type)), ..CreateTaskRequest::default() }
}

/// The header of an ExecuteTaskSync.
pub fn header(task_type: &str) -> CreateRequestHeader {
    CreateRequestHeader { template: Some(template(task_type)), ..CreateRequestHeader::default() }
}

/// A question about a task, as the supervisor takes it.
pub fn query(task_type: &str, resource_meta: &Bytes) -> TaskQuery {
    TaskQuery {
        category: TaskCategory::from(task_type),
        task_type: task_type.to_owned(),
        resource_meta: resource_meta.clone(),
        output_prefix: String::new(),
        deadline: None,
    }
}

/// A Get on the wire.
pub fn get(task_type: &str, resource_meta: &Bytes) -> GetTaskRequest {
    GetTaskRequest {
        task_category: category(task_type),
        resource_meta: resource_meta.clone(),
        ..GetTaskRequest::default()
    }
}

/// A Delete on the wire.
pub fn delete(task_type: &str, resource_meta: &Bytes) -> DeleteTaskRequest {
    DeleteTaskRequest {
        task_category: category(task_type),
        resource_meta: resource_meta.clone(),
        ..DeleteTaskRequest::default()
    }
}

fn category(task_type: &str) -> Option<WireCategory> {
    Some(WireCategory { name: task_type.to_owned(), version: 0 })
}
