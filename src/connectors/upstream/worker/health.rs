//! Whether a worker answers.

use std::{error::Error, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::wire::flyteidl::{
    admin::ListAgentsRequest, service::agent_metadata_service_client::AgentMetadataServiceClient,
};

/// How often a worker that starts is asked.
const STARTING: Duration = Duration::from_millis(100);
/// How often a worker that runs is asked.
const RUNNING: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// What a worker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is SERVING.
    Serving,
    /// It answers something else.
    NotServing,
    /// It does not answer.
    None,
}

/// Completes when the worker is SERVING.
pub(super) async fn serving(channel: &Channel) {
    while ask(channel, ANSWER).await != Answer::Serving {
        sleep(STARTING).await;
    }
}

/// Tells each answer, and completes when there was none for so long.
pub(super) async fn watch(channel: &Channel, hang: Duration, mut tell: impl FnMut(Answer)) {
    let mut times = interval(RUNNING);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence: Option<Silence> = None;
    loop {
        times.tick().await;
        let asked = Instant::now();
        let answer = ask(channel, ANSWER.min(hang)).await;
        tell(answer);
        if answer != Answer::None {
            silence = None;
            continue;
        }
        let silence = silence.get_or_insert(Silence { since: asked, questions: 0 });
        silence.questions += 1;
        // One question alone proves nothing: it may have been us who slept.
        if silence.questions > 1 && silence.since.elapsed() >= hang {
            return;
        }
    }
}

struct Silence {
    since: Instant,
    questions: usize,
}

async fn ask(channel: &Channel, limit: Duration) -> Answer {
    timeout(limit, async {
        let mut health = HealthClient::new(channel.clone());
        match health.check(HealthCheckRequest::default()).await {
            Ok(reply) if reply.get_ref().status() == ServingStatus::Serving => Answer::Serving,
            Ok(_) => Answer::NotServing,
            // flytekit goes without a health service where a package is missing.
            Err(status) if matches!(status.code(), Code::Unimplemented | Code::NotFound) => {
                let mut agents = AgentMetadataServiceClient::new(channel.clone());
                match agents.list_agents(ListAgentsRequest::default()).await {
                    Ok(_) => Answer::Serving,
                    Err(status) => refusal(&status),
                }
            }
            Err(status) => refusal(&status),
        }
    })
    .await
    .unwrap_or(Answer::None)
}

/// A status with a cause is ours: nobody answered.
fn refusal(status: &Status) -> Answer {
    match status.code() {
        Code::Unavailable => Answer::None,
        _ if status.source().is_some() => Answer::None,
        _ => Answer::NotServing,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::AbortHandle};
    use tonic::{
        Request, Response,
        service::Routes,
        transport::{Server, server::TcpIncoming},
    };
    use tonic_health::server::HealthReporter;

    use super::*;
    use crate::{
        connectors::upstream::channel,
        wire::flyteidl::{
            admin::{Agent, GetAgentRequest, GetAgentResponse, ListAgentsResponse},
            service::agent_metadata_service_server::{
                AgentMetadataService, AgentMetadataServiceServer,
            },
        },
    };

    struct Agents;

    #[tonic::async_trait]
    impl AgentMetadataService for Agents {
        async fn get_agent(
            &self,
            _: Request<GetAgentRequest>,
        ) -> Result<Response<GetAgentResponse>, Status> {
            Err(Status::not_found("there is none"))
        }

        async fn list_agents(
            &self,
            _: Request<ListAgentsRequest>,
        ) -> Result<Response<ListAgentsResponse>, Status> {
            let agents = vec![Agent::default()];
            Ok(Response::new(ListAgentsResponse { agents }))
        }
    }

    async fn worker(routes: Routes) -> (Channel, AbortHandle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Server::builder().add_routes(routes);
        let task = tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        (channel::to_worker(port).expect("an address"), task.abort_handle())
    }

    #[tokio::test]
    async fn a_worker_is_as_its_health_service_says() {
        let reporter = HealthReporter::new();
        let health = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
        let health = tonic_health::pb::health_server::HealthServer::new(health);
        let (channel, server) = worker(Routes::new(health)).await;
        assert_eq!(ask(&channel, ANSWER).await, Answer::Serving);
        reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        assert_eq!(ask(&channel, ANSWER).await, Answer::NotServing);
        server.abort();
    }

    #[tokio::test]
    async fn without_a_health_service_it_serves_if_it_lists_its_connectors() {
        let (channel, server) = worker(Routes::new(AgentMetadataServiceServer::new(Agents))).await;
        assert_eq!(ask(&channel, ANSWER).await, Answer::Serving);
        server.abort();
        let (channel, server) = worker(Routes::default()).await;
        assert_eq!(ask(&channel, ANSWER).await, Answer::NotServing, "it answers at least");
        server.abort();
    }

    #[tokio::test]
    async fn who_is_not_there_or_silent_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let channel = channel::to_worker(port).expect("an address");
        assert_eq!(ask(&channel, Duration::from_millis(50)).await, Answer::None, "silent");
        drop(listener);
        assert_eq!(ask(&channel, ANSWER).await, Answer::None, "nobody");
    }
}
