//! Tasks of other connector services, over real gRPC on loopback.

mod faults;
mod forwarded;
mod road;
mod routing;
mod server;

use std::time::Duration;

use bytes::Bytes;
use flightdeck::{
    config::{Config, Upstream},
    wire::{
        flyteidl::{
            admin::{Resource, TaskCategory},
            service::{
                agent_metadata_service_client::AgentMetadataServiceClient,
                async_agent_service_client::AsyncAgentServiceClient,
            },
        },
        handle::Handle,
    },
};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use crate::common::{
    backend::Backend,
    requests::get,
    service::{LIMIT, TestService},
};
use server::FakeUpstream;

/// The service of these tests, and a client of it.
struct Deck {
    service: TestService,
    tasks: AsyncAgentServiceClient<Channel>,
}

/// Settings under which little time passes.
fn quick() -> Config {
    let mut config = Config::default();
    config.polling.first = vec![Duration::from_millis(10).into()];
    config.polling.interval = Duration::from_millis(20);
    config.polling.max_backoff = Duration::from_millis(100);
    config.tasks.get_wait = Duration::from_millis(500);
    config
}

/// An upstream of this name, in the configuration.
fn at(name: &str, upstream: &FakeUpstream) -> Upstream {
    Upstream {
        name: name.to_owned(),
        endpoint: Some(upstream.address.to_string().parse().expect("an address")),
        ..Upstream::default()
    }
}

impl Deck {
    /// A service in front of upstreams.
    async fn before(mut config: Config, upstreams: Vec<Upstream>) -> Self {
        config.upstream = upstreams;
        let service = TestService::start(config, &Backend::new());
        let tasks = AsyncAgentServiceClient::new(service.channel().await);
        Self { service, tasks }
    }

    /// A service that has asked the upstream of this task type what it has.
    async fn in_front_of(config: Config, upstream: &FakeUpstream, task_type: &str) -> Self {
        let deck = Self::before(config, vec![at("python", upstream)]).await;
        deck.lists(task_type).await;
        deck
    }

    /// Waits until a task type is listed.
    async fn lists(&self, task_type: &str) {
        let begun = Instant::now();
        while !self.categories().await.iter().any(|category| category.name == task_type) {
            assert!(begun.elapsed() < LIMIT, "{task_type} is not listed");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn categories(&self) -> Vec<TaskCategory> {
        let agents = self.agents().await.into_iter();
        agents.flat_map(|agent| agent.supported_task_categories).collect()
    }

    async fn agents(&self) -> Vec<flightdeck::wire::flyteidl::admin::Agent> {
        let mut metadata = AgentMetadataServiceClient::new(self.service.channel().await);
        metadata
            .list_agents(flightdeck::wire::flyteidl::admin::ListAgentsRequest {})
            .await
            .expect("a list")
            .into_inner()
            .agents
    }

    /// A Get, which never fails.
    async fn get(&mut self, task_type: &str, handle: &Bytes) -> Resource {
        let reply = self.tasks.get_task(get(task_type, handle)).await.expect("a Get never fails");
        reply.into_inner().resource.expect("a resource")
    }

    /// Gets until the reply is as wanted.
    async fn until(
        &mut self,
        task_type: &str,
        handle: &Bytes,
        wanted: impl Fn(&Resource) -> bool,
    ) -> Resource {
        let begun = Instant::now();
        loop {
            let resource = self.get(task_type, handle).await;
            if wanted(&resource) {
                return resource;
            }
            assert!(begun.elapsed() < LIMIT, "{resource:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The upstream's bytes in a handle.
fn meta(handle: &Bytes) -> Bytes {
    Handle::decode(handle).expect("a handle").expect("an envelope").meta
}
