//! Which connector has a task, and waiting for upstreams to say what they have.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{TaskError, TaskQuery, tasks::Shared};
use crate::{
    connector::{Connector, Route, TaskCategory, TaskRequest},
    wire::handle::Handle,
};

/// How long a caller without a deadline waits.
const WAIT: Duration = Duration::from_secs(10);

/// What a caller's deadline must leave for the reply.
const TIME_TO_REPLY: Duration = Duration::from_millis(500);

impl Shared {
    /// The connector that runs a task, waited for within its caller's deadline.
    pub(super) async fn connector_for(
        &self,
        category: &TaskCategory,
        task: &TaskRequest,
        deadline: Option<Instant>,
    ) -> Result<Connector, TaskError> {
        let limit = deadline.unwrap_or_else(|| Instant::now() + WAIT);
        let limit = limit.checked_sub(TIME_TO_REPLY).unwrap_or(limit);
        self.settled(&category.name, limit, || self.connectors.route(category, task)).await
    }

    /// The connector that the next ExecuteTaskSync of a category goes to.
    pub(super) async fn sync_connector(
        &self,
        category: &TaskCategory,
    ) -> Result<Connector, TaskError> {
        let limit = Instant::now() + WAIT;
        self.settled(&category.name, limit, || self.connectors.route_sync(category)).await
    }

    /// Waits, if need be, until it is known who has a task; at most `get_wait`.
    pub(super) async fn wait_for_owner(&self, query: &TaskQuery) -> Result<(), TaskError> {
        let limit = Instant::now() + self.settings.get_wait;
        let limit = query.deadline.map_or(limit, |deadline| deadline.min(limit));
        let handle = Handle::decode(&query.resource_meta).ok().flatten();
        self.settled(&query.task_type, limit, || self.route(query, handle.as_ref())).await?;
        Ok(())
    }

    /// Who has the task of a handle: the connector that made it. A plain meta,
    /// and a handle whose connector is gone from this service, go to whoever
    /// can read them.
    pub(super) fn route(&self, query: &TaskQuery, handle: Option<&Handle>) -> Route {
        let category = &query.category;
        let Some(handle) = handle else {
            return self.connectors.route_meta(category, &query.resource_meta);
        };
        let owner = self.connectors.owner(category, &handle.connector, handle.sync);
        match owner {
            Some(owner) => Route::Connector(owner),
            None => self.connectors.route_meta(category, &handle.meta),
        }
    }

    async fn settled(
        &self,
        task_type: &str,
        limit: Instant,
        route: impl Fn() -> Route,
    ) -> Result<Connector, TaskError> {
        loop {
            let mut changed = std::pin::pin!(self.connectors.changed());
            // Enabled before the look, so that no change is missed between.
            changed.as_mut().enable();
            match route() {
                Route::Connector(connector) => return Ok(connector),
                Route::Unknown => return Err(TaskError::UnknownTaskType(task_type.to_owned())),
                Route::Pending(upstreams) => {
                    let late = |_| TaskError::NotListed {
                        task_type: task_type.to_owned(),
                        upstreams: upstreams.join(", "),
                    };
                    timeout_at(limit, changed).await.map_err(late)?;
                }
            }
        }
    }
}
