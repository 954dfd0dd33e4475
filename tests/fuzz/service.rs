//! The supervisor with the built-in connectors, in simulated time.

use std::{cell::RefCell, sync::Arc, time::Duration};

use flightdeck::{
    config::Config,
    connector::TaskCategory,
    connectors::builtin,
    supervisor::{Randomness, SystemClock, Tasks, World},
    telemetry::Metrics,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, sleep},
};

/// How long a task may take to leave, in simulated time.
const LIMIT: Duration = Duration::from_secs(10);

pub struct Service {
    pub tasks: Tasks,
    pub categories: Vec<TaskCategory>,
}

thread_local! {
    /// One for all inputs of a test: what a thousand inputs leave behind would
    /// show.
    static SERVICE: RefCell<Option<(Runtime, Service)>> = const { RefCell::new(None) };
}

impl Service {
    /// Hands out the service of this thread.
    pub fn with(act: impl AsyncFnOnce(&Self)) {
        SERVICE.with_borrow_mut(|kept| {
            let (runtime, service) = kept.get_or_insert_with(|| {
                let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
                let runtime = runtime.expect("a runtime");
                let service = runtime.block_on(Self::start());
                (runtime, service)
            });
            runtime.block_on(act(service));
        });
    }

    async fn start() -> Self {
        let mut config = Config::default();
        // What is over leaves at once.
        config.tasks.retention = Duration::ZERO;
        // Nobody listens there: no input makes anybody else hear of us.
        let nowhere = "http://127.0.0.1:1";
        config.storage.s3.endpoint = Some(nowhere.to_owned());
        config.storage.s3.anonymous = Some(true);
        config.storage.gcs.endpoint = Some(nowhere.to_owned());
        config.storage.gcs.anonymous = Some(true);
        config.storage.azure.endpoint = Some(nowhere.to_owned());
        config.storage.azure.account_name = Some("nobody".to_owned());
        config.storage.azure.anonymous = Some(true);
        let connectors = Arc::new(builtin(&config).expect("built-in connectors"));
        let agents = connectors.agents();
        let categories = agents.iter().flat_map(|agent| &agent.supported_task_categories);
        let categories = categories.map(|category| TaskCategory::requested(Some(category), ""));
        let categories = categories.collect();
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let randomness = Arc::new(Randomness::seeded(7));
        let world = World { clock: Arc::new(SystemClock), randomness };
        let tasks = Tasks::start(&config, connectors, metrics, world).await;
        Self { tasks: tasks.expect("a supervisor"), categories }
    }

    /// Waits until every task has left.
    pub async fn until_empty(&self) {
        let began = Instant::now();
        while !self.tasks.is_empty() {
            assert!(began.elapsed() < LIMIT, "{} tasks are left", self.tasks.len());
            sleep(Duration::from_millis(1)).await;
        }
    }
}
