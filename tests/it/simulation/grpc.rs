//! Propeller's calls over gRPC.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use flightdeck::wire::flyteidl::{
    admin::{CreateTaskRequest, Resource},
    service::async_agent_service_client::AsyncAgentServiceClient,
};
use tokio::time::{sleep, timeout};
use tonic::{Request, Response, Status, transport::Channel};

use super::network::{Outages, SimulationClock, channel};
use crate::common::{
    propeller::{Rules, Service},
    requests,
};

/// How long propeller waits before it tries again what an outage cost.
const PAUSE: Duration = Duration::from_secs(5);

/// Propeller's end of the network. Clones share a connection, and what was
/// said over it.
#[derive(Clone)]
pub struct Grpc {
    clock: Arc<SimulationClock>,
    outages: Arc<Outages>,
    /// The connection, and how many outages had ended when it was made.
    connection: Arc<Mutex<Option<(usize, Channel)>>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Grpc {
    pub fn new(clock: Arc<SimulationClock>, outages: Arc<Outages>) -> Self {
        Self { clock, outages, connection: Arc::default(), said: Arc::default() }
    }

    /// Every answer that came, in its order: the trace of a run.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn client(&self) -> AsyncAgentServiceClient<Channel> {
        let ended = self.outages.ended();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, channel) =
            connection.take_if(|(made, _)| *made == ended).unwrap_or_else(|| (ended, channel()));
        *connection = Some((ended, channel.clone()));
        AsyncAgentServiceClient::new(channel)
    }

    /// One call within its deadline: the answer, and whether it met an outage.
    async fn call<T: std::fmt::Debug>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>> + Send,
    ) -> (Result<T, String>, bool) {
        let began = self.clock.moment();
        let answer = match timeout(Rules::REAL.deadline, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(format!("{:?}: {}", status.code(), status.message())),
            Err(_) => Err("the deadline has passed".to_owned()),
        };
        let now = self.clock.moment();
        let line = format!("{began:?} to {now:?}: {answer:?}");
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        (answer, self.outages.met(began, now))
    }

    /// A call that is repeated after an outage: no service can answer then, so
    /// it is not what propeller counts here.
    async fn through<T, F>(
        &self,
        call: impl Fn(AsyncAgentServiceClient<Channel>) -> F + Send,
    ) -> Result<T, String>
    where
        T: std::fmt::Debug + Send,
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        loop {
            let (answer, met_outage) = self.call(call(self.client())).await;
            if answer.is_ok() || !met_outage {
                return answer;
            }
            sleep(PAUSE).await;
        }
    }
}

/// A request with propeller's deadline in it.
fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Rules::REAL.deadline);
    request
}

impl Service for Grpc {
    async fn create(&self, message: CreateTaskRequest) -> Result<Bytes, String> {
        let mut client = self.client();
        let create = async move { client.create_task(request(message)).await };
        self.call(create).await.0.map(|created| created.resource_meta)
    }

    async fn get(&self, handle: &Bytes) -> Result<Resource, String> {
        let got = self.through(|mut client| {
            let message = requests::get("job", handle);
            async move { client.get_task(request(message)).await }
        });
        got.await?.resource.ok_or_else(|| "a reply without a resource".to_owned())
    }

    async fn delete(&self, handle: &Bytes) -> Result<(), String> {
        let deleted = self.through(|mut client| {
            let message = requests::delete("job", handle);
            async move { client.delete_task(request(message)).await }
        });
        deleted.await.map(drop)
    }
}
