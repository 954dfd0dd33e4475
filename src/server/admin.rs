//! `AdminService`, on a port of its own: a look inside for the operator.

mod message;

use std::pin::Pin;

use futures::{Stream, TryStreamExt, stream};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};
use tracing::{error, warn};

use super::{listener, listener::BindError, meter::status, panic};
use crate::{
    config::Admin,
    supervisor::{TaskError, TaskReport, Tasks},
    wire::flightdeck::v1::{
        GetStatusRequest, GetStatusResponse, ListTasksRequest, ListTasksResponse,
        admin_service_server::{AdminService, AdminServiceServer},
    },
};

/// A message of a listing is full at this size: far below the 4 MiB that
/// clients take, and all of a listing that is held at once.
const FULL_MESSAGE: usize = 64 << 10;

/// Binds the port of the admin service, if there is to be one.
///
/// # Errors
/// If the port was set and is taken, or is not ours to take.
pub(super) fn bind(settings: &Admin) -> Result<Option<TcpListener>, BindError> {
    if !settings.enabled {
        return Ok(None);
    }
    let port = settings.port.unwrap_or(Admin::USUAL_PORT);
    match listener::bind(settings.host, port, "the admin service", "admin.port") {
        // A second service on this machine must not need a setting to start.
        Err(error) if settings.port.is_none() && error.is_taken() => {
            warn!(%error, "there is no admin service; set admin.port to have one");
            Ok(None)
        }
        bound => bound.map(Some),
    }
}

/// The server of the admin service, until it is dropped.
pub(super) struct AdminServer(JoinHandle<()>);

impl AdminServer {
    pub(super) fn start(listener: TcpListener, tasks: &Tasks) -> Self {
        let handlers = AdminHandlers { tasks: tasks.clone(), started: Instant::now() };
        let server = Server::builder()
            .layer(panic::layer())
            .add_service(AdminServiceServer::new(handlers))
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        Self(tokio::spawn(async move {
            if let Err(error) = server.await {
                error!(%error, "the admin service failed");
            }
        }))
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is asked about a running service.
struct AdminHandlers {
    tasks: Tasks,
    started: Instant,
}

type TaskMessages = Pin<Box<dyn Stream<Item = Result<ListTasksResponse, Status>> + Send>>;

#[tonic::async_trait]
impl AdminService for AdminHandlers {
    type ListTasksStream = TaskMessages;

    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<Self::ListTasksStream>, Status> {
        let request = request.into_inner();
        let (after, limit) = (message::after(&request)?, message::limit(&request));
        let tasks = self.tasks.list(message::filter(request)?, after, limit);
        Ok(Response::new(messages(tasks)))
    }

    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let overview = self.tasks.overview().await.map_err(|error| status(&error))?;
        Ok(Response::new(message::status(overview, self.started.elapsed())))
    }
}

/// Packs tasks into messages.
fn messages(
    tasks: impl Stream<Item = Result<TaskReport, TaskError>> + Send + 'static,
) -> TaskMessages {
    Box::pin(stream::try_unfold(Box::pin(tasks), |mut tasks| async move {
        let mut message = ListTasksResponse::default();
        let mut size = 0;
        while size < FULL_MESSAGE
            && let Some(report) = tasks.try_next().await.map_err(|error| status(&error))?
        {
            let task = message::task(report);
            size += task.encoded_len();
            message.tasks.push(task);
        }
        Ok((size > 0).then_some((message, tasks)))
    }))
}
