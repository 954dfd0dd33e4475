//! `AsyncAgentService`.

use std::{pin::Pin, time::Duration, time::SystemTime};

use futures::{
    Stream, StreamExt,
    future::{BoxFuture, FutureExt, TryFutureExt},
};
use prost::Message;
use tonic::{Request, Response, Status};

use super::{
    caller,
    meter::{Meter, status},
};
use crate::{
    connector::{ConnectorError, LogPage, LogQuery, MetricsQuery, TaskCategory},
    supervisor::Tasks,
    telemetry::Operation,
    wire::flyteidl::{
        admin::{
            CreateTaskRequest, CreateTaskResponse, DeleteTaskRequest, DeleteTaskResponse,
            GetTaskLogsRequest, GetTaskLogsResponse, GetTaskLogsResponseBody,
            GetTaskLogsResponseHeader, GetTaskMetricsRequest, GetTaskMetricsResponse,
            GetTaskRequest, GetTaskResponse, get_task_logs_response::Part,
        },
        service::async_agent_service_server::AsyncAgentService,
    },
};

/// Tasks that outlive the call that created them.
pub(super) struct AsyncHandlers(pub(super) Tasks);

type LogResponses = Pin<Box<dyn Stream<Item = Result<GetTaskLogsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl AsyncAgentService for AsyncHandlers {
    // Not an `async fn`, whose future would hold the message to its end.
    fn create_task<'a, 'b>(
        &'a self,
        request: Request<CreateTaskRequest>,
    ) -> BoxFuture<'b, Result<Response<CreateTaskResponse>, Status>>
    where
        'a: 'b,
    {
        let deadline = caller::deadline(request.metadata());
        let request = request.into_inner();
        let template = request.template.as_ref();
        let category = template.map_or_else(|| TaskCategory::from(""), TaskCategory::of);
        let meter = Meter::begin(&self.0, Operation::Create, &category.name, &category);
        meter.input_bytes(request.inputs.as_ref().map_or(0, Message::encoded_len));
        let created = meter.count(self.0.create_within(request, deadline));
        let respond = |resource_meta| Response::new(CreateTaskResponse { resource_meta });
        created.map_ok(respond).boxed()
    }

    async fn get_task(
        &self,
        request: Request<GetTaskRequest>,
    ) -> Result<Response<GetTaskResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let query = caller::query(
            &metadata,
            request.task_category,
            request.task_type,
            request.resource_meta,
            request.output_prefix,
        );
        let meter = Meter::begin(&self.0, Operation::Get, &query.task_type, &query.category);
        let resource = meter.count(self.0.get(query)).await?;
        Ok(Response::new(GetTaskResponse { resource: Some(resource) }))
    }

    async fn delete_task(
        &self,
        request: Request<DeleteTaskRequest>,
    ) -> Result<Response<DeleteTaskResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let query = caller::query(
            &metadata,
            request.task_category,
            request.task_type,
            request.resource_meta,
            String::new(),
        );
        let meter = Meter::begin(&self.0, Operation::Delete, &query.task_type, &query.category);
        meter.count(self.0.delete(query)).await?;
        Ok(Response::new(DeleteTaskResponse {}))
    }

    async fn get_task_metrics(
        &self,
        request: Request<GetTaskMetricsRequest>,
    ) -> Result<Response<GetTaskMetricsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let what = MetricsQuery {
            start: time("start_time", request.start_time)?,
            end: time("end_time", request.end_time)?,
            step: step(request.step)?,
            queries: request.queries,
        };
        let query = caller::query(
            &metadata,
            request.task_category,
            request.task_type,
            request.resource_meta,
            String::new(),
        );
        let results = self.0.measurements(query, what).await;
        let results = results.map_err(|error| status(&error))?;
        Ok(Response::new(GetTaskMetricsResponse { results }))
    }

    type GetTaskLogsStream = LogResponses;

    async fn get_task_logs(
        &self,
        request: Request<GetTaskLogsRequest>,
    ) -> Result<Response<Self::GetTaskLogsStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let what = LogQuery { lines: request.lines, token: request.token };
        let query = caller::query(
            &metadata,
            request.task_category,
            request.task_type,
            request.resource_meta,
            String::new(),
        );
        let pages = self.0.logs(query, what).await.map_err(|error| status(&error))?;
        Ok(Response::new(Box::pin(pages.flat_map(|page| futures::stream::iter(responses(page))))))
    }
}

/// A page on the wire: its lines, then the token of the page after it, if there
/// is one.
fn responses(page: Result<LogPage, ConnectorError>) -> Vec<Result<GetTaskLogsResponse, Status>> {
    let page = match page {
        Ok(page) => page,
        Err(error) => return vec![Err(Status::new(error.code(), error.message()))],
    };
    let body = Part::Body(GetTaskLogsResponseBody {
        results: page.results,
        structured_lines: page.structured_lines,
    });
    let header = Part::Header(GetTaskLogsResponseHeader { token: page.token });
    let parts = match (&header, &body) {
        (Part::Header(header), _) if header.token.is_empty() => vec![body],
        (_, Part::Body(lines)) if is_empty(lines) => vec![header],
        _ => vec![header, body],
    };
    let response = |part| Ok(GetTaskLogsResponse { part: Some(part) });
    parts.into_iter().map(response).collect()
}

fn is_empty(body: &GetTaskLogsResponseBody) -> bool {
    body.results.is_empty() && body.structured_lines.is_empty()
}

fn time(
    field: &str,
    timestamp: Option<prost_types::Timestamp>,
) -> Result<Option<SystemTime>, Status> {
    let invalid = |error| Status::invalid_argument(format!("{field} is not a time: {error}"));
    timestamp.map(SystemTime::try_from).transpose().map_err(invalid)
}

fn step(duration: Option<prost_types::Duration>) -> Result<Option<Duration>, Status> {
    let invalid = |error| Status::invalid_argument(format!("step is not a duration: {error}"));
    duration.map(Duration::try_from).transpose().map_err(invalid)
}
