//! Handlers that answer with the messages of the service and do nothing else: the
//! floor below what a call costs.

use bytes::Bytes;
use flightdeck::wire::flyteidl::{
    admin::{
        CreateTaskRequest, CreateTaskResponse, DeleteTaskRequest, DeleteTaskResponse,
        GetTaskLogsRequest, GetTaskLogsResponse, GetTaskMetricsRequest, GetTaskMetricsResponse,
        GetTaskRequest, GetTaskResponse, Resource,
    },
    core::task_execution::Phase,
    service::async_agent_service_server::AsyncAgentService,
};
use futures::stream::Empty;
use tonic::{Request, Response, Status};

/// Every task has the same handle, and is running.
pub struct Bare {
    pub handle: Bytes,
}

#[tonic::async_trait]
impl AsyncAgentService for Bare {
    async fn create_task(
        &self,
        _request: Request<CreateTaskRequest>,
    ) -> Result<Response<CreateTaskResponse>, Status> {
        Ok(Response::new(CreateTaskResponse { resource_meta: self.handle.clone() }))
    }

    async fn get_task(
        &self,
        _request: Request<GetTaskRequest>,
    ) -> Result<Response<GetTaskResponse>, Status> {
        let resource = Resource { phase: Phase::Running.into(), ..Resource::default() };
        Ok(Response::new(GetTaskResponse { resource: Some(resource) }))
    }

    async fn delete_task(
        &self,
        _request: Request<DeleteTaskRequest>,
    ) -> Result<Response<DeleteTaskResponse>, Status> {
        Ok(Response::new(DeleteTaskResponse {}))
    }

    async fn get_task_metrics(
        &self,
        _request: Request<GetTaskMetricsRequest>,
    ) -> Result<Response<GetTaskMetricsResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    type GetTaskLogsStream = Empty<Result<GetTaskLogsResponse, Status>>;

    async fn get_task_logs(
        &self,
        _request: Request<GetTaskLogsRequest>,
    ) -> Result<Response<Self::GetTaskLogsStream>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }
}
