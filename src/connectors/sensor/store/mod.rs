//! Object stores: what is there, asked as seldom as can be.
//!
//! `object_store` signs requests, gets credentials and reads listings; here is
//! which request answers a sensor, who shares its answer, and what a failure
//! means.

mod answer;
mod azure;
mod breaker;
mod bucket;
mod clients;
mod environment;
mod folder;
mod gcs;
mod place;
mod s3;
mod shared;
mod transport;
mod web;

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use object_store::{BackoffConfig, ObjectStore, RetryConfig, list::PaginatedListStore};

use crate::{config, connector::ConnectorError};
use bucket::Bucket;
pub(super) use clients::Clients;
pub(super) use environment::Environment;
use place::{BucketName, Vendor};
pub(super) use place::{ObjectPlace, PlaceError, split_scheme};
use shared::SharedBucket;
pub(super) use web::{Page, Web, shown};

/// How long a bucket that nobody asks about is kept in mind.
const IDLE: Duration = Duration::from_secs(3600);
/// The most buckets that are kept in mind.
const MOST: u64 = 10_000;

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// An object, written at this time.
    Object(std::time::SystemTime),
    /// Something below it.
    Folder,
}

/// A client of `object_store` for one bucket.
trait Objects: ObjectStore + PaginatedListStore {}

impl<T: ObjectStore + PaginatedListStore> Objects for T {}

/// All object stores, found by the bucket.
#[derive(Clone)]
pub(super) struct Stores {
    shared: Arc<Shared>,
    buckets: Cache<BucketName, Arc<SharedBucket>>,
}

/// What the buckets share.
struct Shared {
    settings: config::Storage,
    /// How long an answer is good.
    share_for: Duration,
    environment: Environment,
    clients: Clients,
}

impl Stores {
    pub(super) fn new(
        settings: &config::Storage,
        share_for: Duration,
        environment: Environment,
        clients: Clients,
    ) -> Self {
        let settings = settings.clone();
        Self {
            shared: Arc::new(Shared { settings, share_for, environment, clients }),
            buckets: Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build(),
        }
    }

    /// What is at the place, no older than an answer may be.
    pub(super) async fn look(&self, place: &ObjectPlace) -> Result<Found, ConnectorError> {
        self.bucket(&place.bucket).look(place).await
    }

    /// How many objects are below the place, as far as `enough`.
    pub(super) async fn count(
        &self,
        place: &ObjectPlace,
        enough: usize,
    ) -> Result<usize, ConnectorError> {
        self.bucket(&place.bucket).count(place, enough).await
    }

    fn bucket(&self, name: &BucketName) -> Arc<SharedBucket> {
        self.buckets.get_with_by_ref(name, || {
            let bucket = Bucket::new(name.clone(), self.shared.clone());
            Arc::new(SharedBucket::new(bucket, &self.shared))
        })
    }
}

impl Shared {
    fn connect(
        &self,
        name: &BucketName,
        transport: transport::Transport,
        region: Option<&str>,
    ) -> Result<Box<dyn Objects>, String> {
        let (bucket, environment) = (name.bucket.as_str(), &self.environment);
        let settings = &self.settings;
        Ok(match name.vendor {
            Vendor::S3 => Box::new(
                s3::connect(bucket, &settings.s3, environment, transport, region)
                    .map_err(|error| error.to_string())?,
            ),
            Vendor::Gcs => Box::new(
                gcs::connect(bucket, &settings.gcs, environment, transport)
                    .map_err(|error| error.to_string())?,
            ),
            Vendor::Azure => Box::new(
                azure::connect(name, &settings.azure, environment, transport)
                    .map_err(|error| error.to_string())?,
            ),
        })
    }
}

/// Attempts within one poll. The supervisor polls again in any case.
fn retry(max_retries: usize, longest: Duration) -> RetryConfig {
    let init_backoff = Duration::from_millis(100).min(longest);
    RetryConfig {
        backoff: BackoffConfig { init_backoff, max_backoff: longest, base: 2.0 },
        max_retries,
        // Inside of the limit of one `get` of a connector.
        retry_timeout: Duration::from_secs(15),
    }
}
