//! `AgentMetadataService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::{
    connector::ConnectorRegistry,
    wire::flyteidl::{
        admin::{GetAgentRequest, GetAgentResponse, ListAgentsRequest, ListAgentsResponse},
        service::agent_metadata_service_server::AgentMetadataService,
    },
};

/// What the service can do. Propeller asks every ten seconds.
pub(super) struct MetadataHandlers(pub(super) Arc<ConnectorRegistry>);

#[tonic::async_trait]
impl AgentMetadataService for MetadataHandlers {
    async fn get_agent(
        &self,
        request: Request<GetAgentRequest>,
    ) -> Result<Response<GetAgentResponse>, Status> {
        let name = request.into_inner().name;
        match self.0.agent(&name) {
            Some(agent) => Ok(Response::new(GetAgentResponse { agent: Some(agent) })),
            None => Err(Status::not_found(format!("Cannot find connector for name: {name}."))),
        }
    }

    async fn list_agents(
        &self,
        _request: Request<ListAgentsRequest>,
    ) -> Result<Response<ListAgentsResponse>, Status> {
        let agents = self.0.agents();
        Ok(Response::new(ListAgentsResponse { agents }))
    }
}
