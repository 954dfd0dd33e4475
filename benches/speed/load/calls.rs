//! The calls that load is made of: each checks its reply.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use flightdeck::wire::flyteidl::{
    admin::{
        CreateTaskRequest, ExecuteTaskSyncRequest, GetTaskRequest, GetTaskResponse,
        ListAgentsRequest, execute_task_sync_request::Part, execute_task_sync_response::Res,
    },
    core::task_execution::Phase,
    service::{
        agent_metadata_service_client::AgentMetadataServiceClient,
        async_agent_service_client::AsyncAgentServiceClient,
        sync_agent_service_client::SyncAgentServiceClient,
    },
};
use futures::stream::iter;
use prost::Message;
use tonic::{Request, Status};

use super::Wire;
use crate::{messages, subjects, written::Written};

/// One kind of call.
pub trait Calls: Clone + Send + Sync + 'static {
    /// Such calls on a connection.
    type Call: Call;

    fn on(&self, wire: Wire) -> Self::Call;
}

/// A call on a connection.
pub trait Call: Clone + Send + 'static {
    /// Makes the call with this number, and checks the reply: one that is not
    /// what it must be ends the bench. The service is told how long the caller
    /// will wait, if there is a limit.
    fn call(
        &mut self,
        number: usize,
        limit: Option<Duration>,
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// A request of a caller who waits so long.
pub fn request<T>(message: T, limit: Option<Duration>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(limit) = limit {
        request.set_timeout(limit);
    }
    request
}

/// Asks how tasks are doing that are running, one after the other.
#[derive(Clone)]
pub struct Gets(Arc<[(GetTaskRequest, Written)]>);

impl Gets {
    pub fn of(handles: &[Bytes]) -> Self {
        let requests = handles.iter().map(messages::get);
        let written = |message| {
            let written = Written::new("/flyteidl.service.AsyncAgentService/GetTask", &message);
            (message, written)
        };
        Self(requests.map(written).collect())
    }
}

impl Calls for Gets {
    type Call = (Self, Wire);

    fn on(&self, wire: Wire) -> Self::Call {
        (self.clone(), wire)
    }
}

impl Call for (Gets, Wire) {
    async fn call(&mut self, number: usize, limit: Option<Duration>) -> Result<(), Status> {
        let requests = &self.0.0;
        let (message, written) = &requests[number % requests.len()];
        let reply = match &self.1 {
            Wire::Channel(channel) => {
                let mut client = AsyncAgentServiceClient::new(channel.clone());
                client.get_task(request(message.clone(), limit)).await?.into_inner()
            }
            Wire::Lean(client) => {
                let reply = match limit {
                    Some(limit) => written.clone().within(limit).send(client).await?,
                    None => written.send(client).await?,
                };
                GetTaskResponse::decode(reply).expect("a reply")
            }
        };
        assert_eq!(reply.resource.map(|resource| resource.phase()), Some(Phase::Running));
        Ok(())
    }
}

/// Creates tasks, each of its own, and keeps their handles.
#[derive(Clone)]
pub struct Creates {
    request: Arc<dyn Fn(usize) -> CreateTaskRequest + Send + Sync>,
    created: Arc<AtomicUsize>,
    handles: Arc<Mutex<Vec<Bytes>>>,
}

impl Creates {
    /// With the request for the task of a number.
    pub fn new(request: impl Fn(usize) -> CreateTaskRequest + Send + Sync + 'static) -> Self {
        Self { request: Arc::new(request), created: Arc::default(), handles: Arc::default() }
    }

    /// The handles of what was created since this was asked last.
    pub fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.handles.lock().expect("no panic"))
    }
}

impl Calls for Creates {
    type Call = (Self, AsyncAgentServiceClient<Wire>);

    fn on(&self, wire: Wire) -> Self::Call {
        (self.clone(), AsyncAgentServiceClient::new(wire))
    }
}

impl Call for (Creates, AsyncAgentServiceClient<Wire>) {
    async fn call(&mut self, _number: usize, limit: Option<Duration>) -> Result<(), Status> {
        let message = (self.0.request)(self.0.created.fetch_add(1, Relaxed));
        let handle = self.1.create_task(request(message, limit)).await?.into_inner().resource_meta;
        assert!(!handle.is_empty(), "a handle");
        // A copy: what came is a part of the buffer that it was read into.
        let handle = Bytes::copy_from_slice(&handle);
        self.0.handles.lock().expect("no panic").push(handle);
        Ok(())
    }
}

/// Ends tasks.
#[derive(Clone)]
pub struct Deletes(Arc<[Bytes]>);

impl Deletes {
    pub fn of(handles: Vec<Bytes>) -> Self {
        Self(handles.into())
    }
}

impl Calls for Deletes {
    type Call = (Self, AsyncAgentServiceClient<Wire>);

    fn on(&self, wire: Wire) -> Self::Call {
        (self.clone(), AsyncAgentServiceClient::new(wire))
    }
}

impl Call for (Deletes, AsyncAgentServiceClient<Wire>) {
    async fn call(&mut self, number: usize, limit: Option<Duration>) -> Result<(), Status> {
        let message = messages::delete(&self.0.0[number]);
        self.1.delete_task(request(message, limit)).await.map(drop)
    }
}

/// Runs sync tasks, each of its own.
#[derive(Clone)]
pub struct Executes {
    task: Arc<CreateTaskRequest>,
    executed: Arc<AtomicUsize>,
}

impl Executes {
    pub fn of(task: CreateTaskRequest) -> Self {
        Self { task: Arc::new(task), executed: Arc::default() }
    }

    fn parts(&self) -> [ExecuteTaskSyncRequest; 2] {
        let (mut header, inputs) = subjects::execute(self.task.as_ref().clone());
        let number = self.executed.fetch_add(1, Relaxed);
        header.output_prefix = format!("{}/{number}", header.output_prefix);
        let parts = [Part::Header(header), Part::Inputs(inputs.unwrap_or_default())];
        parts.map(|part| ExecuteTaskSyncRequest { part: Some(part) })
    }
}

impl Calls for Executes {
    type Call = (Self, SyncAgentServiceClient<Wire>);

    fn on(&self, wire: Wire) -> Self::Call {
        (self.clone(), SyncAgentServiceClient::new(wire))
    }
}

impl Call for (Executes, SyncAgentServiceClient<Wire>) {
    async fn call(&mut self, _number: usize, limit: Option<Duration>) -> Result<(), Status> {
        let parts = request(iter(self.0.parts()), limit);
        let mut replies = self.1.execute_task_sync(parts).await?.into_inner();
        let first = replies.message().await?.and_then(|reply| reply.res);
        let Some(Res::Header(header)) = first else {
            panic!("{first:?} came first");
        };
        let phase = header.resource.map(|resource| resource.phase());
        assert_eq!(phase, Some(Phase::Succeeded));
        while replies.message().await?.is_some() {}
        Ok(())
    }
}

/// Asks for the connectors.
#[derive(Clone)]
pub struct Lists;

impl Calls for Lists {
    type Call = AgentMetadataServiceClient<Wire>;

    fn on(&self, wire: Wire) -> Self::Call {
        AgentMetadataServiceClient::new(wire)
    }
}

impl Call for AgentMetadataServiceClient<Wire> {
    async fn call(&mut self, _number: usize, limit: Option<Duration>) -> Result<(), Status> {
        let agents =
            self.list_agents(request(ListAgentsRequest {}, limit)).await?.into_inner().agents;
        assert!(agents.iter().any(|agent| agent.name == "Sensor"), "{agents:?}");
        Ok(())
    }
}
