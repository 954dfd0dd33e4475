//! The floor: a tonic server whose handlers answer with the same messages and do
//! nothing else.

use bytes::Bytes;
use flightdeck::wire::flyteidl::{
    admin::{
        Agent, ExecuteTaskSyncRequest, ExecuteTaskSyncResponse, ExecuteTaskSyncResponseHeader,
        GetAgentRequest, GetAgentResponse, ListAgentsRequest, ListAgentsResponse, Resource,
        TaskCategory, execute_task_sync_response::Res,
    },
    core::task_execution::Phase,
    service::{
        agent_metadata_service_server::{AgentMetadataService, AgentMetadataServiceServer},
        async_agent_service_server::AsyncAgentServiceServer,
        sync_agent_service_server::{SyncAgentService, SyncAgentServiceServer},
    },
};
use futures::stream::{Iter, iter};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

use crate::bare::Bare;

/// As long as the handle of a FileSensor.
const HANDLE: [u8; 200] = [7; 200];

pub(super) async fn serve() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address"));
    let incoming = incoming.expect("a port").with_nodelay(Some(true));
    eprintln!("grpc={}", incoming.local_addr().expect("an address"));
    let server = Server::builder()
        .add_service(AsyncAgentServiceServer::new(Bare { handle: Bytes::from_static(&HANDLE) }))
        .add_service(SyncAgentServiceServer::new(Others))
        .add_service(AgentMetadataServiceServer::new(Others));
    server.serve_with_incoming(incoming).await.expect("it serves");
}

/// The services that are not about tasks which live on.
struct Others;

#[tonic::async_trait]
impl SyncAgentService for Others {
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
impl AgentMetadataService for Others {
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
