//! A connector service that does what a test says, and keeps what it is asked.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use flightdeck::connector::Phase;
use flightdeck::wire::flyteidl::{
    admin::{
        Agent, CreateRequestHeader, CreateTaskRequest, CreateTaskResponse, DeleteTaskRequest,
        DeleteTaskResponse, ExecuteTaskSyncRequest, ExecuteTaskSyncResponse,
        ExecuteTaskSyncResponseHeader, GetAgentRequest, GetAgentResponse, GetTaskLogsRequest,
        GetTaskLogsResponse, GetTaskMetricsRequest, GetTaskMetricsResponse, GetTaskRequest,
        GetTaskResponse, ListAgentsRequest, ListAgentsResponse, Resource, TaskCategory,
        execute_task_sync_request::Part, execute_task_sync_response::Res,
    },
    core::LiteralMap,
    service::{
        agent_metadata_service_server::{AgentMetadataService, AgentMetadataServiceServer},
        async_agent_service_server::{AsyncAgentService, AsyncAgentServiceServer},
        sync_agent_service_server::{SyncAgentService, SyncAgentServiceServer},
    },
};
use futures::{Stream, StreamExt, stream};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    time::{Instant, sleep},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

use crate::common::service::LIMIT;

/// What a call is answered with.
pub type Answer<T> = Result<T, Status>;

/// What the service does, and what it was asked.
pub struct Script {
    pub agents: Vec<Agent>,
    pub create: Answer<CreateTaskResponse>,
    pub get: Answer<Resource>,
    pub delete: Answer<()>,
    pub metrics: Answer<GetTaskMetricsResponse>,
    pub logs: Answer<Vec<GetTaskLogsResponse>>,
    pub execute: Answer<Resource>,
    /// Get never answers.
    pub hangs: bool,
    pub creates: Vec<CreateTaskRequest>,
    pub gets: Vec<GetTaskRequest>,
    pub deletes: Vec<DeleteTaskRequest>,
    pub asked_metrics: Vec<GetTaskMetricsRequest>,
    pub asked_logs: Vec<GetTaskLogsRequest>,
    pub executes: Vec<(CreateRequestHeader, LiteralMap)>,
}

/// The service, on a port that stays the same over restarts.
#[derive(Clone)]
pub struct FakeUpstream {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    running: Arc<Mutex<Option<Process>>>,
}

/// Stands for the upstream's process: what runs in it ends with it, connections
/// too.
struct Process(Option<Runtime>);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// An agent with these task types.
pub fn agent(name: &str, task_types: &[&str], is_sync: bool) -> Agent {
    let category = |name: &&str| TaskCategory { name: (*name).to_owned(), version: 0 };
    Agent {
        name: name.to_owned(),
        is_sync,
        supported_task_types: task_types.iter().map(|name| (*name).to_owned()).collect(),
        supported_task_categories: task_types.iter().map(category).collect(),
    }
}

impl FakeUpstream {
    /// A service with these agents, whose jobs run, and on which all works.
    pub async fn start(agents: Vec<Agent>) -> Self {
        let upstream = Self::absent(agents).await;
        upstream.come().await;
        upstream
    }

    /// One that does not listen yet.
    pub async fn absent(agents: Vec<Agent>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let running = Resource { phase: Phase::Running.into(), ..Resource::default() };
        let script = Script {
            agents,
            create: Ok(CreateTaskResponse { resource_meta: b"the upstream's".to_vec().into() }),
            get: Ok(running.clone()),
            delete: Ok(()),
            metrics: Err(not_implemented()),
            logs: Ok(Vec::new()),
            execute: Ok(Resource { phase: Phase::Succeeded.into(), ..running }),
            hangs: false,
            creates: Vec::new(),
            gets: Vec::new(),
            deletes: Vec::new(),
            asked_metrics: Vec::new(),
            asked_logs: Vec::new(),
            executes: Vec::new(),
        };
        let script = Arc::new(Mutex::new(script));
        Self { address, script, running: Arc::default() }
    }

    /// Listens, again.
    pub async fn come(&self) {
        let begun = Instant::now();
        let socket = loop {
            match std::net::TcpListener::bind(self.address) {
                Ok(socket) => break socket,
                // The one before is just leaving, or a connection of another
                // test has the number.
                Err(error) => assert!(begun.elapsed() < LIMIT, "its own port: {error}"),
            }
            sleep(Duration::from_millis(5)).await;
        };
        socket.set_nonblocking(true).expect("a socket");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let handlers = Handlers(self.script.clone());
        let server = Server::builder()
            .add_service(AsyncAgentServiceServer::new(handlers.clone()))
            .add_service(SyncAgentServiceServer::new(handlers.clone()))
            .add_service(AgentMetadataServiceServer::new(handlers));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(socket).expect("a socket");
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.expect("it serves");
        });
        *self.running.lock().expect("no panic holds it") = Some(Process(Some(runtime)));
    }

    /// Is gone, with its connections.
    pub fn go(&self) {
        self.running.lock().expect("no panic holds it").take();
    }

    /// Looks at the script, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        act(&mut self.script.lock().expect("no test panics while it holds the script"))
    }
}

/// What flytekit answers for logs and metrics of a connector without them.
pub fn not_implemented() -> Status {
    Status::unknown("Unexpected <class 'NotImplementedError'>: ")
}

#[derive(Clone)]
struct Handlers(Arc<Mutex<Script>>);

impl Handlers {
    fn with<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        act(&mut self.0.lock().expect("no test panics while it holds the script"))
    }
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AsyncAgentService for Handlers {
    async fn create_task(
        &self,
        request: Request<CreateTaskRequest>,
    ) -> Answer<Response<CreateTaskResponse>> {
        self.with(|script| {
            script.creates.push(request.into_inner());
            script.create.clone().map(Response::new)
        })
    }

    async fn get_task(
        &self,
        request: Request<GetTaskRequest>,
    ) -> Answer<Response<GetTaskResponse>> {
        let (hangs, answer) = self.with(|script| {
            script.gets.push(request.into_inner());
            (script.hangs, script.get.clone())
        });
        if hangs {
            sleep(Duration::from_secs(3600)).await;
        }
        Ok(Response::new(GetTaskResponse { resource: Some(answer?) }))
    }

    async fn delete_task(
        &self,
        request: Request<DeleteTaskRequest>,
    ) -> Answer<Response<DeleteTaskResponse>> {
        self.with(|script| {
            script.deletes.push(request.into_inner());
            script.delete.clone().map(|()| Response::new(DeleteTaskResponse {}))
        })
    }

    async fn get_task_metrics(
        &self,
        request: Request<GetTaskMetricsRequest>,
    ) -> Answer<Response<GetTaskMetricsResponse>> {
        self.with(|script| {
            script.asked_metrics.push(request.into_inner());
            script.metrics.clone().map(Response::new)
        })
    }

    type GetTaskLogsStream = Replies<GetTaskLogsResponse>;

    async fn get_task_logs(
        &self,
        request: Request<GetTaskLogsRequest>,
    ) -> Answer<Response<Self::GetTaskLogsStream>> {
        let messages = self.with(|script| {
            script.asked_logs.push(request.into_inner());
            script.logs.clone()
        })?;
        Ok(Response::new(stream::iter(messages).map(Ok).boxed()))
    }
}

#[tonic::async_trait]
impl SyncAgentService for Handlers {
    type ExecuteTaskSyncStream = Replies<ExecuteTaskSyncResponse>;

    async fn execute_task_sync(
        &self,
        request: Request<Streaming<ExecuteTaskSyncRequest>>,
    ) -> Answer<Response<Self::ExecuteTaskSyncStream>> {
        let mut parts = request.into_inner();
        let mut part = async || parts.message().await.map(|message| message?.part);
        let (Some(Part::Header(header)), Some(Part::Inputs(inputs))) =
            (part().await?, part().await?)
        else {
            return Err(Status::invalid_argument("no header, or no inputs"));
        };
        let resource = self.with(|script| {
            script.executes.push((header, inputs));
            script.execute.clone()
        })?;
        let header = ExecuteTaskSyncResponseHeader { resource: Some(resource) };
        let message = ExecuteTaskSyncResponse { res: Some(Res::Header(header)) };
        Ok(Response::new(stream::iter([Ok(message)]).boxed()))
    }
}

#[tonic::async_trait]
impl AgentMetadataService for Handlers {
    async fn get_agent(
        &self,
        _request: Request<GetAgentRequest>,
    ) -> Answer<Response<GetAgentResponse>> {
        Err(Status::unimplemented("nobody asks an upstream for one agent"))
    }

    async fn list_agents(
        &self,
        _request: Request<ListAgentsRequest>,
    ) -> Answer<Response<ListAgentsResponse>> {
        let agents = self.with(|script| script.agents.clone());
        Ok(Response::new(ListAgentsResponse { agents }))
    }
}
