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
