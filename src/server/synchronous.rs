//! `SyncAgentService`.

use tokio_stream::{Once, once};
use tonic::{Request, Response, Status, Streaming};

use super::meter::Meter;
use crate::{
    connector::TaskCategory,
    supervisor::{TaskError, Tasks},
    telemetry::Operation,
    wire::flyteidl::{
        admin::{
            CreateRequestHeader, ExecuteTaskSyncRequest, ExecuteTaskSyncResponse,
            ExecuteTaskSyncResponseHeader, Resource, execute_task_sync_request::Part,
            execute_task_sync_response::Res,
        },
        core::LiteralMap,
        service::sync_agent_service_server::SyncAgentService,
    },
};

/// Tasks that are run inside the call.
pub(super) struct SyncHandlers(pub(super) Tasks);

#[tonic::async_trait]
impl SyncAgentService for SyncHandlers {
    type ExecuteTaskSyncStream = Once<Result<ExecuteTaskSyncResponse, Status>>;

    async fn execute_task_sync(
        &self,
        request: Request<Streaming<ExecuteTaskSyncRequest>>,
    ) -> Result<Response<Self::ExecuteTaskSyncStream>, Status> {
        let mut parts = request.into_inner();
        let header = header(&mut parts).await?;
        let category = category(&header);
        let meter = Meter::begin(&self.0, Operation::Do, &category.name, &category);
        let resource = meter.count(self.execute(header, &category, parts)).await?;
        Ok(Response::new(once(Ok(ExecuteTaskSyncResponse {
            res: Some(Res::Header(ExecuteTaskSyncResponseHeader { resource: Some(resource) })),
        }))))
    }
}

impl SyncHandlers {
    async fn execute(
        &self,
        header: CreateRequestHeader,
        category: &TaskCategory,
        mut parts: Streaming<ExecuteTaskSyncRequest>,
    ) -> Result<Resource, TaskError> {
        // Before the inputs are read, as flytekit does: a caller that sends
        // none hears what is wrong.
        self.0.check_sync(category).await?;
        let inputs = inputs(&mut parts).await?;
        self.0.execute(header, inputs).await
    }
}

async fn header(
    parts: &mut Streaming<ExecuteTaskSyncRequest>,
) -> Result<CreateRequestHeader, Status> {
    let first = parts.message().await?.and_then(|message| message.part);
    match first {
        Some(Part::Header(header)) => Ok(header),
        _ => Err(Status::invalid_argument(
            "ExecuteTaskSync begins with a message whose part is header; the first one has none",
        )),
    }
}

async fn inputs(
    parts: &mut Streaming<ExecuteTaskSyncRequest>,
) -> Result<Option<LiteralMap>, TaskError> {
    let second = parts.message().await.map_err(TaskError::Stream)?;
    match second {
        Some(message) => Ok(match message.part {
            Some(Part::Inputs(inputs)) => Some(inputs),
            _ => None,
        }),
        None => Err(TaskError::NoInputs),
    }
}

fn category(header: &CreateRequestHeader) -> TaskCategory {
    let template = header.template.as_ref();
    template.map_or_else(|| TaskCategory::from(""), TaskCategory::of)
}
