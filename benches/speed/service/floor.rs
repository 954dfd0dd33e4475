//! The floor: a tonic server whose handlers answer with the same messages and do
//! nothing else.

use bytes::Bytes;
use flightdeck::wire::flyteidl::{
    admin::{
        Agent, CreateTaskRequest, CreateTaskResponse, DeleteTaskRequest, DeleteTaskResponse,
        ExecuteTaskSyncRequest, ExecuteTaskSyncResponse, ExecuteTaskSyncResponseHeader,
        GetAgentRequest, GetAgentResponse, GetTaskLogsRequest, GetTaskLogsResponse,
        GetTaskMetricsRequest, GetTaskMetricsResponse, GetTaskRequest, GetTaskResponse,
        ListAgentsRequest, ListAgentsResponse, Resource, TaskCategory,
        execute_task_sync_response::Res,
    },
    core::task_execution::Phase,
    service::{
        agent_metadata_service_server::{AgentMetadataService, AgentMetadataServiceServer},
        async_agent_service_server::{AsyncAgentService, AsyncAgentServiceServer},
        sync_agent_service_server::{SyncAgentService, SyncAgentServiceServer},
    },
};
use futures::stream::{Empty, Iter, iter};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

/// As long as the handle of a FileSensor.
const HANDLE: [u8; 200] = [7; 200];

pub(super) async fn serve() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address"));
    let incoming = incoming.expect("a port").with_nodelay(Some(true));
    eprintln!("grpc={}", incoming.local_addr().expect("an address"));
    let server = Server::builder()
        .add_service(AsyncAgentServiceServer::new(Bare))
        .add_service(SyncAgentServiceServer::new(Bare))
        .add_service(AgentMetadataServiceServer::new(Bare));
    server.serve_with_incoming(incoming).await.expect("it serves");
}

struct Bare;

#[tonic::async_trait]
impl AsyncAgentService for Bare {
    async fn create_task(
        &self,
        _request: Request<CreateTaskRequest>,
    ) -> Result<Response<CreateTaskResponse>, Status> {
        Ok(Response::new(CreateTaskResponse { resource_meta: Bytes::from_static(&HANDLE) }))
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

#[tonic::async_trait]
impl SyncAgentService for Bare {
    type ExecuteTaskSyncStream =
        Iter<std::array::IntoIter<Result<ExecuteTaskSyncResponse, Status>, 1>>;

    async fn execute_task_sync(
        &self,
        request: Request<Streaming<ExecuteTaskSyncRequest>>,
    ) -> Result<Response<Self::ExecuteTaskSyncStream>, Status> {
        let mut parts = request.into_inner();
        while parts.message().await?.is_some() {}
        let resource = Resource { phase: Phase::Succeeded.into(), ..Resource::default() };
        let header = ExecuteTaskSyncResponseHeader { resource: Some(resource) };
        Ok(Response::new(iter([Ok(ExecuteTaskSyncResponse { res: Some(Res::Header(header)) })])))
    }
}

#[tonic::async_trait]
impl AgentMetadataService for Bare {
    async fn get_agent(
        &self,
        _request: Request<GetAgentRequest>,
    ) -> Result<Response<GetAgentResponse>, Status> {
        Err(Status::unimplemented("nobody asks"))
    }

    async fn list_agents(
        &self,
        _request: Request<ListAgentsRequest>,
    ) -> Result<Response<ListAgentsResponse>, Status> {
        let agent = |name: &str, task_type: &str, is_sync| Agent {
            name: name.to_owned(),
            is_sync,
            supported_task_categories: vec![TaskCategory {
                name: task_type.to_owned(),
                version: 0,
            }],
            ..Agent::default()
        };
        let agents = vec![agent("Sensor", "sensor", false), agent("Webhook", "webhook", true)];
        Ok(Response::new(ListAgentsResponse { agents }))
    }
}
