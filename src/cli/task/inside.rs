//! The calls of the admin service.

use tokio::time::Instant;
use tonic::{Streaming, transport::Channel};

use super::client::{CallError, Client};
use crate::wire::flightdeck::v1::{
    GetStatusRequest, GetStatusResponse, ListTasksRequest, ListTasksResponse, Task,
    admin_service_client::AdminServiceClient,
};

impl Client {
    /// ListTasks: the tasks, as they come.
    pub(super) async fn list(&self, request: ListTasksRequest) -> Result<TaskParts<'_>, CallError> {
        let mut service = self.admin();
        let reply = self.call(service.list_tasks(self.request(request)));
        Ok(TaskParts { client: self, stream: reply.await? })
    }

    /// GetStatus.
    pub(super) async fn status(&self) -> Result<GetStatusResponse, CallError> {
        let mut service = self.admin();
        self.call(service.get_status(self.request(GetStatusRequest {}))).await
    }

    fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel())
    }
}

/// The reply to ListTasks, part by part. Each has the deadline for itself: all
/// tasks of a large service take their time.
pub(super) struct TaskParts<'a> {
    client: &'a Client,
    stream: Streaming<ListTasksResponse>,
}

impl TaskParts<'_> {
    /// The next tasks, or `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Task>>, CallError> {
        let until = Instant::now() + self.client.deadline();
        let next = self.client.before(until, self.stream.message()).await?;
        Ok(next.map(|message| message.tasks))
    }
}
