//! Traces, as a real collector gets them.

mod collector;
mod log;
mod metrics;
mod propagation;
mod requests;
mod sampling;
mod tasks;

use std::time::Duration;

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::Phase,
    wire::flyteidl::{
        admin::{CreateTaskRequest, GetTaskRequest},
        service::async_agent_service_client::AsyncAgentServiceClient,
    },
};
use tokio::time::{Instant, sleep};
use tonic::{IntoRequest, Request, transport::Channel};

use crate::common::{
    backend::Backend,
    collector::{Collector, Taken},
    requests::{delete, get},
    service::{LIMIT, TestService},
};

/// Settings under which little time passes and everything is traced.
fn quick() -> Config {
    let mut config = Config::default();
    config.polling.first = vec![Duration::from_millis(10).into()];
    config.polling.interval = Duration::from_millis(20);
    config.polling.max_backoff = Duration::from_millis(40);
    config.polling.jitter = 0.0;
    config.traces.sample_ratio = Some(1.0);
    config
}

/// A service that sends its traces to a collector, and a client of it.
struct Traced {
    service: TestService,
    tasks: AsyncAgentServiceClient<Channel>,
}

impl Traced {
    async fn start(mut config: Config, backend: &Backend, collector: &Collector) -> Self {
        config.traces.endpoint = Some(collector.url());
        let service = TestService::start_traced(config, backend);
        let tasks = AsyncAgentServiceClient::new(service.channel().await);
        Self { service, tasks }
    }

    async fn create(&mut self, request: impl IntoRequest<CreateTaskRequest>) -> Bytes {
        let created = self.tasks.create_task(request).await.expect("a handle");
        created.into_inner().resource_meta
    }

    async fn phase(&mut self, request: impl IntoRequest<GetTaskRequest>) -> Phase {
        let state = self.tasks.get_task(request).await.expect("a state").into_inner();
        state.resource.expect("a resource").phase()
    }

    /// Gets until the task is in this phase.
    async fn until(&mut self, task_type: &str, handle: &Bytes, phase: Phase) {
        let begun = Instant::now();
        while self.phase(get(task_type, handle)).await != phase {
            assert!(begun.elapsed() < LIMIT, "it is not {phase:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn delete(&mut self, task_type: &str, handle: &Bytes) {
        self.tasks.delete_task(delete(task_type, handle)).await.expect("OK");
    }

    /// Stops the service, which sends what is left.
    async fn stop(self) {
        drop(self.tasks);
        self.service.stop().await.expect("a clean stop");
    }
}

/// A request whose caller has a trace.
fn with_parent<T>(message: T, parent: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("traceparent", parent.parse().expect("ASCII"));
    request
}

/// The root of the only task there is.
fn root(spans: &[Taken]) -> &Taken {
    let roots: Vec<_> = spans.iter().filter(|span| span.name == "task").collect();
    assert_eq!(roots.len(), 1, "{spans:#?}");
    roots[0]
}

/// The names of a trace's spans but for its root, in the order of their ends.
fn told(spans: &[Taken], trace: &str) -> Vec<String> {
    let mut of: Vec<_> =
        spans.iter().filter(|span| span.trace == trace && !span.parent.is_empty()).collect();
    of.sort_by_key(|span| (span.end, span.name == "end"));
    of.into_iter().map(|span| span.name.clone()).collect()
}
