//! A client of the service that lives through its deaths.

use std::time::Duration;

use bytes::Bytes;
use flightdeck::{
    connector::Phase,
    wire::{
        flyteidl::service::async_agent_service_client::AsyncAgentServiceClient, handle::Handle,
    },
};
use tokio::time::{sleep, timeout};
use tonic::{Request, Status, transport::Channel};

use crate::{process::LIMIT, requests};

const TASK_TYPE: &str = "http_job";

/// Propeller's deadline.
const DEADLINE: Duration = Duration::from_secs(10);

/// A connection to the service. Clones share it.
#[derive(Clone)]
pub struct Client(AsyncAgentServiceClient<Channel>);

impl Client {
    pub fn new(channel: Channel) -> Self {
        Self(AsyncAgentServiceClient::new(channel))
    }

    /// Creates the task of this number, once.
    pub async fn create(&self, number: usize) -> Result<Bytes, Status> {
        let prefix = format!("s3://flyte/f1/n{number}/0");
        let request = requests::create(TASK_TYPE, &prefix, 0);
        let created = self.0.clone().create_task(within(DEADLINE, request)).await?;
        Ok(created.into_inner().resource_meta)
    }

    /// Creates the task of this number, and repeats that over deaths of the
    /// service, as propeller does with a Create whose result it could not keep.
    pub async fn create_at_least_once(&self, number: usize) -> Bytes {
        let creates = async {
            loop {
                match self.create(number).await {
                    Ok(handle) => return handle,
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(LIMIT, creates).await.expect("a Create succeeds in time")
    }

    pub async fn get(&self, handle: &Bytes) -> Result<Phase, Status> {
        let request = within(DEADLINE, requests::get(TASK_TYPE, handle));
        let resource = self.0.clone().get_task(request).await?.into_inner().resource;
        Ok(resource.expect("a resource").phase())
    }

    pub async fn delete(&self, handle: &Bytes) -> Result<(), Status> {
        let request = within(DEADLINE, requests::delete(TASK_TYPE, handle));
        self.0.clone().delete_task(request).await.map(drop)
    }

    /// Asks until the task is in this phase; no Get may fail.
    pub async fn until(&self, handle: &Bytes, phase: Phase) {
        let gets = async {
            while self.get(handle).await.expect("no Get fails") != phase {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(LIMIT, gets).await.expect("the phase comes in time");
    }
}

/// The job's id in the handle of a task.
pub fn job(handle: &Bytes) -> usize {
    let handle = Handle::decode(handle).expect("a handle").expect("with its prefix");
    let meta: serde_json::Value = serde_json::from_slice(&handle.meta).expect("JSON");
    meta["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
}

fn within<T>(deadline: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}
