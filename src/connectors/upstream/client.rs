//! The calls of an upstream, each with a limit.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use prost_types::Timestamp;
use tonic::{IntoRequest, Request, Response, Streaming, transport::Channel};

use super::{
    error,
    member::InFlight,
    pool::{Picked, Pool},
};
use crate::{
    config,
    connector::{
        ConnectorError, LogPage, LogQuery, LogStream, MetricsQuery, Resource, TaskCategory,
        TaskRequest,
    },
    wire::flyteidl::{
        admin::{
            Agent, CreateRequestHeader, CreateTaskRequest, DeleteTaskRequest,
            ExecuteTaskSyncRequest, GetTaskLogsRequest, GetTaskLogsResponse, GetTaskMetricsRequest,
            GetTaskRequest, ListAgentsRequest, execute_task_sync_request,
            execute_task_sync_response::Res, get_task_logs_response,
        },
        core::ExecutionMetricResult,
        service::{
            agent_metadata_service_client::AgentMetadataServiceClient,
            async_agent_service_client::AsyncAgentServiceClient,
            sync_agent_service_client::SyncAgentServiceClient,
        },
    },
};

use super::resource;

/// How long a list of agents may take.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// The largest message that an upstream's reply may be: what propeller takes of
/// ours bounds what is of use.
const LARGEST_REPLY: usize = 16 << 20;

/// A client of one upstream.
#[derive(Debug)]
pub(super) struct Client {
    name: String,
    pool: Pool,
    limits: Limits,
}

/// How long calls may take; the upstream is told, and stops working for nobody.
#[derive(Debug, Clone)]
struct Limits {
    create: Duration,
    get: Duration,
    delete: Duration,
    r#do: Duration,
}

impl Client {
    pub(super) fn new(name: &str, pool: Pool, tasks: &config::Tasks) -> Self {
        let limits = Limits {
            create: tasks.create_limit,
            get: tasks.get_limit,
            delete: tasks.delete_limit,
            r#do: tasks.do_limit,
        };
        Self { name: name.to_owned(), pool, limits }
    }

    /// The upstream's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// CreateTask: the upstream's `resource_meta`.
    pub(super) async fn create(&self, task: &TaskRequest) -> Result<Bytes, ConnectorError> {
        let (mut service, _in_flight) = self.tasks()?;
        let request = CreateTaskRequest {
            inputs: task.inputs.clone(),
            template: Some(task.template.clone()),
            output_prefix: task.output_prefix.clone(),
            task_execution_metadata: task.metadata.clone(),
        };
        let reply = service.create_task(within(self.limits.create, request)).await;
        let reply = reply.map_err(|status| error::of_create(&self.name, &status))?;
        Ok(reply.into_inner().resource_meta)
    }

    /// GetTask.
    pub(super) async fn get(
        &self,
        category: &TaskCategory,
        meta: Bytes,
        output_prefix: String,
    ) -> Result<Resource, ConnectorError> {
        let (mut service, _in_flight) = self.tasks()?;
        let request = GetTaskRequest {
            task_type: category.name.clone(),
            resource_meta: meta,
            task_category: Some(category.into()),
            output_prefix,
        };
        let reply = service.get_task(within(self.limits.get, request)).await;
        let reply = reply.map_err(|status| error::of_call(&self.name, &status))?;
        self.resource(reply.into_inner().resource)
    }

    /// DeleteTask.
    pub(super) async fn delete(
        &self,
        category: &TaskCategory,
        meta: Bytes,
    ) -> Result<(), ConnectorError> {
        let (mut service, _in_flight) = self.tasks()?;
        let request = DeleteTaskRequest {
            task_type: category.name.clone(),
            resource_meta: meta,
            task_category: Some(category.into()),
        };
        let reply = service.delete_task(within(self.limits.delete, request)).await;
        reply.map_err(|status| error::of_call(&self.name, &status))?;
        Ok(())
    }

    /// GetTaskMetrics, or `None` from a connector that has none.
    pub(super) async fn metrics(
        &self,
        category: &TaskCategory,
        meta: Bytes,
        query: MetricsQuery,
    ) -> Result<Option<Vec<ExecutionMetricResult>>, ConnectorError> {
        let (mut service, _in_flight) = self.tasks()?;
        let step = query.step.map(prost_types::Duration::try_from).transpose();
        let request = GetTaskMetricsRequest {
            task_type: category.name.clone(),
            resource_meta: meta,
            queries: query.queries,
            start_time: query.start.map(Timestamp::from),
            end_time: query.end.map(Timestamp::from),
            step: step.map_err(|error| ConnectorError::invalid(format!("step: {error}")))?,
            task_category: Some(category.into()),
        };
        match service.get_task_metrics(within(self.limits.get, request)).await {
            Ok(reply) => Ok(Some(reply.into_inner().results)),
            Err(status) if error::is_not_implemented(&status) => Ok(None),
            Err(status) => Err(error::of_call(&self.name, &status)),
        }
    }

    /// GetTaskLogs, or `None` from a connector that has none. A stream without
    /// a message is none too: flytekit's service sends nothing else.
    pub(super) async fn logs(
        &self,
        category: &TaskCategory,
        meta: Bytes,
        query: LogQuery,
    ) -> Result<Option<LogStream>, ConnectorError> {
        let (mut service, in_flight) = self.tasks()?;
        let request = GetTaskLogsRequest {
            task_type: category.name.clone(),
            resource_meta: meta,
            lines: query.lines,
            token: query.token,
            task_category: Some(category.into()),
        };
        let opened = service.get_task_logs(within(self.limits.get, request)).await;
        let first = match opened.map(Response::into_inner) {
            Ok(mut messages) => messages.message().await.map(|first| (first, messages)),
            Err(status) => Err(status),
        };
        match first {
            Ok((Some(first), rest)) => Ok(Some(self.pages(first, rest, in_flight))),
            Ok((None, _)) => Ok(None),
            Err(status) if error::is_not_implemented(&status) => Ok(None),
            Err(status) => Err(error::of_call(&self.name, &status)),
        }
    }

    fn pages(
        &self,
        first: GetTaskLogsResponse,
        rest: Streaming<GetTaskLogsResponse>,
        in_flight: InFlight,
    ) -> LogStream {
        let name = self.name.clone();
        let messages = stream::once(async { Ok(first) }).chain(rest);
        let pages = messages.map(move |message| {
            let _in_flight = &in_flight;
            message.map(page).map_err(|status| error::of_call(&name, &status))
        });
        pages.boxed()
    }

    /// ExecuteTaskSync. As propeller does, it reads the first message only.
    pub(super) async fn execute(&self, task: &TaskRequest) -> Result<Resource, ConnectorError> {
        let Picked { channel, in_flight: _in_flight } = self.pick()?;
        let mut service =
            SyncAgentServiceClient::new(channel).max_decoding_message_size(LARGEST_REPLY);
        let request = within(self.limits.r#do, stream::iter(parts(task)));
        let first = match service.execute_task_sync(request).await {
            Ok(replies) => replies.into_inner().message().await,
            Err(status) => Err(status),
        };
        let first = first.map_err(|status| error::of_create(&self.name, &status))?;
        match first.and_then(|message| message.res) {
            Some(Res::Header(header)) => self.resource(header.resource),
            _ => Err(ConnectorError::permanent(format!(
                "upstream {} answered without a header",
                self.name
            ))),
        }
    }

    /// ListAgents. A service that is a bare task service has no list, and an
    /// error says so.
    pub(super) async fn list(&self) -> Result<Vec<Agent>, ConnectorError> {
        let Picked { channel, in_flight: _in_flight } = self.pick()?;
        let mut service =
            AgentMetadataServiceClient::new(channel).max_decoding_message_size(LARGEST_REPLY);
        let reply = service.list_agents(within(LIST_LIMIT, ListAgentsRequest {})).await;
        let reply = reply.map_err(|status| error::of_call(&self.name, &status))?;
        Ok(reply.into_inner().agents)
    }

    fn tasks(&self) -> Result<(AsyncAgentServiceClient<Channel>, InFlight), ConnectorError> {
        let Picked { channel, in_flight } = self.pick()?;
        let service = AsyncAgentServiceClient::new(channel);
        Ok((service.max_decoding_message_size(LARGEST_REPLY), in_flight))
    }

    fn pick(&self) -> Result<Picked, ConnectorError> {
        self.pool.pick().map_err(|cause| error::unreached(&self.name, &cause))
    }

    fn resource(
        &self,
        resource: Option<crate::wire::flyteidl::admin::Resource>,
    ) -> Result<Resource, ConnectorError> {
        let resource = resource.ok_or_else(|| {
            ConnectorError::internal(format!("upstream {} answered without a resource", self.name))
        })?;
        resource::of_wire(resource)
    }
}

/// A request that the upstream may work on for this long.
fn within<T>(limit: Duration, request: impl IntoRequest<T>) -> Request<T> {
    let mut request = request.into_request();
    request.set_timeout(limit);
    request
}

fn parts(task: &TaskRequest) -> [ExecuteTaskSyncRequest; 2] {
    let header = CreateRequestHeader {
        template: Some(task.template.clone()),
        output_prefix: task.output_prefix.clone(),
        task_execution_metadata: task.metadata.clone(),
        max_dataset_size_bytes: task.max_dataset_size_bytes,
    };
    let inputs = task.inputs.clone().unwrap_or_default();
    [
        execute_task_sync_request::Part::Header(header),
        execute_task_sync_request::Part::Inputs(inputs),
    ]
    .map(|part| ExecuteTaskSyncRequest { part: Some(part) })
}

/// A message of a log as a page: lines, or the token of what follows.
fn page(message: GetTaskLogsResponse) -> LogPage {
    match message.part {
        Some(get_task_logs_response::Part::Header(header)) => {
            LogPage { token: header.token, ..LogPage::default() }
        }
        Some(get_task_logs_response::Part::Body(body)) => LogPage {
            results: body.results,
            structured_lines: body.structured_lines,
            ..LogPage::default()
        },
        None => LogPage::default(),
    }
}
