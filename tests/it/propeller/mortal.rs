//! A service that can be killed: the supervisor, in one process after another.

use std::{collections::HashSet, future::Future, sync::Arc};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{Connector, ConnectorRegistry},
    supervisor::{Tasks, World},
    telemetry::Metrics,
    wire::{
        flyteidl::admin::{CreateTaskRequest, Resource},
        handle::Handle,
    },
};
use tokio::sync::watch;

use crate::common::{
    job_connector::{JobConnector, JobMeta},
    propeller::{Propeller, Service},
    requests::query,
    service::world,
};

/// The service of the moment. Clones share it.
#[derive(Clone)]
pub struct Mortal(Arc<Lives>);

struct Lives {
    connector: JobConnector,
    /// The clock goes on over a restart.
    world: World,
    /// Changes with each kill, which cuts every call under way.
    tasks: watch::Sender<Tasks>,
}

impl Mortal {
    pub async fn start(connector: JobConnector) -> Self {
        let world = world();
        let tasks = watch::Sender::new(tasks(&connector, &world).await);
        Self(Arc::new(Lives { connector, world, tasks }))
    }

    /// Kills the process, and starts another. Jobs that run without anybody
    /// who holds their handle are returned: intents, creates under way and
    /// orphans live in memory, so they are what a kill takes with it.
    pub async fn kill(&self, propeller: &Propeller<Self>) -> HashSet<usize> {
        let next = tasks(&self.0.connector, &self.0.world).await;
        self.0.tasks.send_replace(next).stop();
        let held: HashSet<_> = propeller.held().iter().map(job).collect();
        let running = self.0.connector.0.running();
        running.into_iter().filter(|job| !held.contains(job)).collect()
    }

    async fn call<T, E: ToString>(
        &self,
        call: impl AsyncFnOnce(Tasks) -> Result<T, E>,
    ) -> Result<T, String> {
        let mut tasks = self.0.tasks.subscribe();
        let now = tasks.borrow_and_update().clone();
        tokio::select! {
            biased;
            _ = tasks.changed() => Err("the connection was reset".to_owned()),
            answer = call(now) => answer.map_err(|error| error.to_string()),
        }
    }
}

impl Service for Mortal {
    fn create(
        &self,
        request: CreateTaskRequest,
    ) -> impl Future<Output = Result<Bytes, String>> + Send {
        self.call(async move |tasks: Tasks| tasks.create(request).await)
    }

    fn get(&self, handle: &Bytes) -> impl Future<Output = Result<Resource, String>> + Send {
        let query = query("job", handle);
        self.call(async move |tasks: Tasks| tasks.get(query).await)
    }

    fn delete(&self, handle: &Bytes) -> impl Future<Output = Result<(), String>> + Send {
        let query = query("job", handle);
        self.call(async move |tasks: Tasks| tasks.delete(query).await)
    }
}

async fn tasks(connector: &JobConnector, world: &World) -> Tasks {
    let registry = ConnectorRegistry::new();
    registry.register(Connector::from_async(connector.clone())).expect("a task type of its own");
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let config = Config::default();
    Tasks::start(&config, Arc::new(registry), metrics, world.clone()).await.expect("a supervisor")
}

/// The job of a handle.
fn job(handle: &Bytes) -> usize {
    let handle = Handle::decode(handle).expect("a handle").expect("with its prefix");
    let meta: JobMeta = serde_json::from_slice(&handle.meta).expect("a meta");
    meta.job
}
