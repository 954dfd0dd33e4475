//! A service that keeps nothing: each call is one of the backend, as in
//! flytekit's.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use flightdeck::{
    connector::{AsyncConnector, IdempotencyKey, ResourceMeta, TaskRequest},
    wire::flyteidl::admin::{CreateTaskRequest, Resource},
};

use crate::common::{
    job_connector::{JobConnector, JobMeta},
    propeller::Service,
};

#[derive(Clone)]
pub struct Direct {
    connector: JobConnector,
    creates: Arc<AtomicU64>,
}

impl Direct {
    pub fn new(connector: JobConnector) -> Self {
        Self { connector, creates: Arc::default() }
    }
}

impl Service for Direct {
    async fn create(&self, request: CreateTaskRequest) -> Result<Bytes, String> {
        // flytekit has no key, so each create is another job.
        let number = self.creates.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        let task = TaskRequest {
            template: request.template.unwrap_or_default(),
            inputs: request.inputs,
            output_prefix: request.output_prefix,
            max_dataset_size_bytes: 0,
            metadata: request.task_execution_metadata,
            idempotency_key: IdempotencyKey(key),
        };
        let meta = self.connector.create(&task).await.map_err(|error| error.to_string())?;
        meta.encode().map(Bytes::from).map_err(|error| error.to_string())
    }

    async fn get(&self, handle: &Bytes) -> Result<Resource, String> {
        let resource = self.connector.get(&meta(handle)).await;
        resource.map(Resource::from).map_err(|error| error.to_string())
    }

    async fn delete(&self, handle: &Bytes) -> Result<(), String> {
        self.connector.delete(&meta(handle)).await.map_err(|error| error.to_string())
    }
}

fn meta(handle: &Bytes) -> JobMeta {
    JobMeta::decode(handle).expect("a meta")
}
