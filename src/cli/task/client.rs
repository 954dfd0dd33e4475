//! The calls, each under a deadline.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use clap::Args as ClapArgs;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Request, Response, Status, Streaming, TimeoutExpired, transport::Channel};

use super::{duration, handle::Task, human, service::Service};
use crate::{
    cli::UsageError,
    config::Address,
    wire::flyteidl::{
        admin::{
            CreateRequestHeader, CreateTaskRequest, DeleteTaskRequest, ExecuteTaskSyncRequest,
            GetTaskLogsRequest, GetTaskLogsResponse, GetTaskMetricsRequest, GetTaskRequest,
            Resource, execute_task_sync_request, execute_task_sync_response::Res,
            get_task_logs_response,
        },
        core::ExecutionMetricResult,
        service::{
            async_agent_service_client::AsyncAgentServiceClient,
            sync_agent_service_client::SyncAgentServiceClient,
        },
    },
};

/// Which service is called, and how long it may take.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "The connector service")]
pub(super) struct ClientArgs {
    /// Where it listens: a URL or host:port [default: FLIGHTDECK_ENDPOINT or
    /// http://127.0.0.1:8000; for `list` FLIGHTDECK_ADMIN_ENDPOINT or
    /// http://127.0.0.1:8001]
    #[arg(long, global = true, value_name = "URL")]
    endpoint: Option<Address>,

    /// The deadline of each call; propeller's is 10s
    #[arg(
        long,
        global = true,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration::parse
    )]
    deadline: Duration,
}

/// A service that is called.
pub(super) struct Client {
    service: Service,
    address: Address,
    channel: Channel,
    deadline: Duration,
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no connection.
    #[error("cannot reach {service} at {address}: {cause}; {}", service.hint())]
    Unreachable { service: Service, address: String, cause: String },
    /// It is another service than this one.
    #[error("{address} is a gRPC service and not {service}; {}", service.hint())]
    Other { service: Service, address: String },
    /// The deadline passed.
    #[error(
        "DEADLINE_EXCEEDED: no answer from {address} within {}; allow more with --deadline",
        humantime::format_duration(*deadline)
    )]
    Late { address: String, deadline: Duration },
    /// The service answered with an error.
    #[error("{}: {}", name(status.code()), message(status))]
    Refused { status: Box<Status> },
    /// The reply lacks what it is for.
    #[error("the reply to {rpc} has no {part} in it; is {address} a connector service?")]
    Incomplete { rpc: &'static str, part: &'static str, address: String },
}

impl CallError {
    /// True if the same call may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Late { .. } => true,
            Self::Refused { status } => {
                matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded)
            }
            Self::Other { .. } | Self::Incomplete { .. } => false,
        }
    }
}

impl Client {
    /// A client that connects with its first call, and again after a loss.
    pub(super) fn new(args: ClientArgs, service: Service) -> Result<Self, UsageError> {
        let address = service.address(args.endpoint)?;
        let channel = address.endpoint().connect_lazy();
        Ok(Self { service, address, channel, deadline: args.deadline })
    }

    /// The connection, for the stubs of a service.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// How long a call may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// CreateTask: the task's handle.
    pub(super) async fn create(&self, request: CreateTaskRequest) -> Result<Bytes, CallError> {
        let mut service = self.tasks();
        let reply = self.call(service.create_task(self.request(request)));
        Ok(reply.await?.resource_meta)
    }

    /// ExecuteTaskSync: the result of the task. Like propeller it reads the
    /// first message only.
    pub(super) async fn execute(&self, request: CreateTaskRequest) -> Result<Resource, CallError> {
        let mut service = SyncAgentServiceClient::new(self.channel.clone());
        let parts = self.request(tokio_stream::iter(parts(request)));
        let first = self.call(async {
            let mut replies = service.execute_task_sync(parts).await?.into_inner();
            Ok(Response::new(replies.message().await?))
        });
        match first.await?.and_then(|message| message.res) {
            Some(Res::Header(header)) => header.resource,
            _ => None,
        }
        .ok_or_else(|| self.incomplete("ExecuteTaskSync", "resource"))
    }

    /// GetTask: where the task is.
    pub(super) async fn get(&self, task: &Task) -> Result<Resource, CallError> {
        let mut service = self.tasks();
        let reply = self.call(service.get_task(self.request(GetTaskRequest {
            task_type: task.category.name.clone(),
            resource_meta: task.resource_meta.clone(),
            task_category: Some(task.category.clone()),
            output_prefix: String::new(),
        })));
        let resource = reply.await?.resource;
        resource.ok_or_else(|| self.incomplete("GetTask", "resource"))
    }

    /// GetTaskLogs: at most so many lines, from the token on.
    pub(super) async fn logs(
        &self,
        task: &Task,
        lines: u64,
        token: &str,
    ) -> Result<LogParts<'_>, CallError> {
        let until = Instant::now() + self.deadline;
        let mut service = self.tasks();
        let reply = self.call(service.get_task_logs(self.request(GetTaskLogsRequest {
            task_type: task.category.name.clone(),
            resource_meta: task.resource_meta.clone(),
            lines,
            token: token.to_owned(),
            task_category: Some(task.category.clone()),
        })));
        Ok(LogParts { client: self, stream: reply.await?, until })
    }

    /// GetTaskMetrics: which task it is about is filled in here.
    pub(super) async fn metrics(
        &self,
        task: &Task,
        query: GetTaskMetricsRequest,
    ) -> Result<Vec<ExecutionMetricResult>, CallError> {
        let mut service = self.tasks();
        let reply = self.call(service.get_task_metrics(self.request(GetTaskMetricsRequest {
            task_type: task.category.name.clone(),
            resource_meta: task.resource_meta.clone(),
            task_category: Some(task.category.clone()),
            ..query
        })));
        Ok(reply.await?.results)
    }

    /// DeleteTask.
    pub(super) async fn delete(&self, task: &Task) -> Result<(), CallError> {
        let mut service = self.tasks();
        let reply = self.call(service.delete_task(self.request(DeleteTaskRequest {
            task_type: task.category.name.clone(),
            resource_meta: task.resource_meta.clone(),
            task_category: Some(task.category.clone()),
        })));
        reply.await.map(drop)
    }

    fn tasks(&self) -> AsyncAgentServiceClient<Channel> {
        AsyncAgentServiceClient::new(self.channel.clone())
    }

    /// A request that tells the service its deadline.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }

    /// Waits for a reply until the deadline.
    pub(super) async fn call<T>(
        &self,
        rpc: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, CallError> {
        self.before(Instant::now() + self.deadline, rpc).await.map(Response::into_inner)
    }

    /// Waits for a reply, or a part of one, until some time.
    pub(super) async fn before<T>(
        &self,
        until: Instant,
        rpc: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, CallError> {
        match timeout_at(until, rpc).await {
            Ok(result) => result.map_err(|status| self.error(status)),
            Err(_) => Err(self.late()),
        }
    }

    /// Tells a status that the client has made of a lost connection, which has a
    /// source, from one that the service has sent, which has none.
    fn error(&self, status: Status) -> CallError {
        let Some(source) = status.source() else {
            return match (self.service, status.code()) {
                (Service::Admin, Code::Unimplemented) => {
                    CallError::Other { service: self.service, address: self.address.to_string() }
                }
                _ => CallError::Refused { status: Box::new(status) },
            };
        };
        let cause = root_cause(source);
        match cause.is::<TimeoutExpired>() {
            true => self.late(),
            false => CallError::Unreachable {
                service: self.service,
                address: self.address.to_string(),
                cause: cause.to_string(),
            },
        }
    }

    fn late(&self) -> CallError {
        CallError::Late { address: self.address.to_string(), deadline: self.deadline }
    }

    fn incomplete(&self, rpc: &'static str, part: &'static str) -> CallError {
        CallError::Incomplete { rpc, part, address: self.address.to_string() }
    }
}

/// The reply to GetTaskLogs, part by part, under one deadline.
pub(super) struct LogParts<'a> {
    client: &'a Client,
    stream: Streaming<GetTaskLogsResponse>,
    until: Instant,
}

impl LogParts<'_> {
    /// The next part, or `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<get_task_logs_response::Part>, CallError> {
        while let Some(message) = self.client.before(self.until, self.stream.message()).await? {
            // A message of a later protocol may have none that is known here.
            if message.part.is_some() {
                return Ok(message.part);
            }
        }
        Ok(None)
    }
}

/// The two messages that ask for a sync task.
fn parts(request: CreateTaskRequest) -> [ExecuteTaskSyncRequest; 2] {
    use execute_task_sync_request::Part;

    let header = CreateRequestHeader {
        template: request.template,
        output_prefix: request.output_prefix,
        task_execution_metadata: request.task_execution_metadata,
        max_dataset_size_bytes: 0,
    };
    [Part::Header(header), Part::Inputs(request.inputs.unwrap_or_default())]
        .map(|part| ExecuteTaskSyncRequest { part: Some(part) })
}

/// A code as gRPC's documents spell it, such as `NOT_FOUND`.
fn name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

fn message(status: &Status) -> String {
    match status.message() {
        "" => "the service gave no reason".to_owned(),
        message => human::printable(message),
    }
}

/// The innermost cause: the outer ones only say that something failed.
fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelled_as_grpc_spells_them() {
        for (code, text) in [
            (Code::Ok, "OK"),
            (Code::NotFound, "NOT_FOUND"),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ] {
            assert_eq!(name(code), text);
        }
    }
}
