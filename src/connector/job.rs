//! Connectors and their jobs with the types of their metas erased: what the
//! supervisor works with.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};

use super::{
    AsyncConnector, ConnectorError, LogQuery, LogStream, MetaError, MetricsQuery, PollPolicy,
    Resource, ResourceMeta, SyncConnector, TaskCategory, TaskRequest,
};
use crate::wire::flyteidl::core::{ExecutionMetricResult, TaskLog};

/// A connector of either kind, as the registry keeps it.
#[derive(Clone)]
pub enum Connector {
    /// Its jobs outlive the call.
    Async(Arc<dyn DynAsyncConnector>),
    /// It answers with the result.
    Sync(Arc<dyn DynSyncConnector>),
}

impl Connector {
    /// Wraps an [`AsyncConnector`].
    pub fn from_async(connector: impl AsyncConnector) -> Self {
        Self::Async(Arc::new(Erased(Arc::new(connector))))
    }

    /// Wraps a [`SyncConnector`].
    pub fn from_sync(connector: impl SyncConnector) -> Self {
        Self::Sync(Arc::new(Erased(Arc::new(connector))))
    }

    /// The name under which `ListAgents` shows it.
    pub fn name(&self) -> &str {
        match self {
            Self::Async(connector) => connector.name(),
            Self::Sync(connector) => connector.name(),
        }
    }

    /// The task categories that it serves.
    pub fn task_categories(&self) -> Vec<TaskCategory> {
        match self {
            Self::Async(connector) => connector.task_categories(),
            Self::Sync(connector) => connector.task_categories(),
        }
    }

    /// True for a task that it serves; a sync connector serves any of its
    /// categories.
    pub(super) fn claims(&self, task: &TaskRequest) -> bool {
        match self {
            Self::Async(connector) => connector.claims(task),
            Self::Sync(_) => true,
        }
    }

    /// True for a meta whose task it serves.
    pub(super) fn claims_meta(&self, meta: &[u8]) -> bool {
        match self {
            Self::Async(connector) => connector.claims_meta(meta),
            Self::Sync(_) => true,
        }
    }

    /// True if both are one and the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Async(one), Self::Async(other)) => Arc::ptr_eq(one, other),
            (Self::Sync(one), Self::Sync(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// True for a connector that answers with the result.
    pub fn is_sync(&self) -> bool {
        matches!(self, Self::Sync(_))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.name())
            .field("is_sync", &self.is_sync())
            .finish()
    }
}

/// An [`AsyncConnector`] behind a pointer.
pub trait DynAsyncConnector: Send + Sync {
    /// See [`AsyncConnector::name`].
    fn name(&self) -> &str;
    /// See [`AsyncConnector::task_categories`].
    fn task_categories(&self) -> Vec<TaskCategory>;
    /// See [`AsyncConnector::poll_policy`].
    fn poll_policy(&self, configured: PollPolicy) -> PollPolicy;
    /// See [`AsyncConnector::claims`].
    fn claims(&self, task: &TaskRequest) -> bool;
    /// True for bytes of a meta whose task it serves.
    fn claims_meta(&self, meta: &[u8]) -> bool;
    /// Starts a job. See [`AsyncConnector::create`].
    fn create(
        &self,
        task: Arc<TaskRequest>,
    ) -> BoxFuture<'static, Result<Arc<dyn Job>, ConnectorError>>;
    /// The job that these bytes of a meta name, with the folder for its outputs
    /// if the caller named it.
    fn job(&self, meta: &[u8], output_prefix: &str) -> Result<Arc<dyn Job>, MetaError>;
}

/// A [`SyncConnector`] behind a pointer.
pub trait DynSyncConnector: Send + Sync {
    /// See [`SyncConnector::name`].
    fn name(&self) -> &str;
    /// See [`SyncConnector::task_categories`].
    fn task_categories(&self) -> Vec<TaskCategory>;
    /// Runs a task. See [`SyncConnector::do`](SyncConnector#tymethod.do).
    fn r#do(&self, task: Arc<TaskRequest>) -> BoxFuture<'static, Result<Resource, ConnectorError>>;
}

/// One external job: an [`AsyncConnector`] with the meta that finds the job.
pub trait Job: Send + Sync {
    /// The bytes of the connector's own meta.
    fn meta(&self) -> Result<Bytes, MetaError>;
    /// See [`AsyncConnector::get`].
    fn get(self: Arc<Self>) -> BoxFuture<'static, Result<Resource, ConnectorError>>;
    /// See [`AsyncConnector::delete`].
    fn delete(self: Arc<Self>) -> BoxFuture<'static, Result<(), ConnectorError>>;
    /// See [`AsyncConnector::get_metrics`].
    fn get_metrics(
        self: Arc<Self>,
        query: MetricsQuery,
    ) -> BoxFuture<'static, Result<Option<Vec<ExecutionMetricResult>>, ConnectorError>>;
    /// See [`AsyncConnector::get_logs`].
    fn get_logs(
        self: Arc<Self>,
        query: LogQuery,
    ) -> BoxFuture<'static, Result<Option<LogStream>, ConnectorError>>;
    /// See [`AsyncConnector::log_links`].
    fn log_links(&self) -> Vec<TaskLog>;
    /// See [`AsyncConnector::changed`].
    fn changed(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

struct Erased<C>(Arc<C>);

impl<C: AsyncConnector> DynAsyncConnector for Erased<C> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        self.0.task_categories()
    }

    fn poll_policy(&self, configured: PollPolicy) -> PollPolicy {
        self.0.poll_policy(configured)
    }

    fn claims(&self, task: &TaskRequest) -> bool {
        self.0.claims(task)
    }

    fn claims_meta(&self, meta: &[u8]) -> bool {
        C::Meta::decode(meta).is_ok_and(|meta| self.0.claims_meta(&meta))
    }

    fn create(
        &self,
        task: Arc<TaskRequest>,
    ) -> BoxFuture<'static, Result<Arc<dyn Job>, ConnectorError>> {
        let connector = self.0.clone();
        async move {
            let meta = connector.create(&task).await?;
            Ok(Arc::new(TypedJob { connector, meta }) as Arc<dyn Job>)
        }
        .boxed()
    }

    fn job(&self, meta: &[u8], _output_prefix: &str) -> Result<Arc<dyn Job>, MetaError> {
        Ok(Arc::new(TypedJob { connector: self.0.clone(), meta: C::Meta::decode(meta)? }))
    }
}

impl<C: SyncConnector> DynSyncConnector for Erased<C> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        self.0.task_categories()
    }

    fn r#do(&self, task: Arc<TaskRequest>) -> BoxFuture<'static, Result<Resource, ConnectorError>> {
        let connector = self.0.clone();
        async move { connector.r#do(&task).await }.boxed()
    }
}

struct TypedJob<C: AsyncConnector> {
    connector: Arc<C>,
    meta: C::Meta,
}

impl<C: AsyncConnector> Job for TypedJob<C> {
    fn meta(&self) -> Result<Bytes, MetaError> {
        self.meta.encode().map(Bytes::from)
    }

    fn get(self: Arc<Self>) -> BoxFuture<'static, Result<Resource, ConnectorError>> {
        async move { self.connector.get(&self.meta).await }.boxed()
    }

    fn delete(self: Arc<Self>) -> BoxFuture<'static, Result<(), ConnectorError>> {
        async move { self.connector.delete(&self.meta).await }.boxed()
    }

    fn get_metrics(
        self: Arc<Self>,
        query: MetricsQuery,
    ) -> BoxFuture<'static, Result<Option<Vec<ExecutionMetricResult>>, ConnectorError>> {
        async move { self.connector.get_metrics(&self.meta, &query).await }.boxed()
    }

    fn get_logs(
        self: Arc<Self>,
        query: LogQuery,
    ) -> BoxFuture<'static, Result<Option<LogStream>, ConnectorError>> {
        async move { self.connector.get_logs(&self.meta, &query).await }.boxed()
    }

    fn log_links(&self) -> Vec<TaskLog> {
        self.connector.log_links(&self.meta)
    }

    fn changed(&self) -> Option<BoxFuture<'static, ()>> {
        self.connector.changed(&self.meta)
    }
}
