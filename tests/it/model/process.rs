//! One run of the service's process, without its server.

use std::{future::Future, sync::Arc, time::Duration};

use flightdeck::{
    config::Config,
    connector::{Connector, ConnectorRegistry},
    supervisor::{Randomness, Tasks, World},
    telemetry::Metrics,
};
use tokio::runtime::{Builder, Runtime};

use super::{
    backend::Backend,
    connector::{CallConnector, JobConnector},
    moment::CaseClock,
};

/// A process in paused time. Dropping it is a SIGKILL: nothing is told, and
/// nothing has time to end.
pub struct Process {
    pub tasks: Tasks,
    runtime: Runtime,
}

impl Process {
    /// Starts a process that knows nothing of those before.
    pub fn start(config: &Config, backend: &Backend, clock: &Arc<CaseClock>, seed: u64) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        clock.follow(runtime.handle());
        let connectors = ConnectorRegistry::new();
        for connector in [
            Connector::from_async(JobConnector(backend.clone())),
            Connector::from_sync(CallConnector(backend.clone())),
        ] {
            connectors.register(connector).expect("a task type of its own");
        }
        let world = World { clock: clock.clone(), randomness: Arc::new(Randomness::seeded(seed)) };
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let tasks = Tasks::start(config, Arc::new(connectors), metrics, world);
        let tasks = runtime.block_on(tasks).expect("a supervisor");
        Self { tasks, runtime }
    }

    /// Runs the process while a caller waits.
    pub fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.run(async { tokio::time::sleep(time).await });
    }
}
