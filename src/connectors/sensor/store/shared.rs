//! Who shares whose answer: one look at a key at a time and its result for a
//! while, and one listing for many keys of a folder.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};

use super::{
    Found, Shared,
    bucket::{Bucket, Failure, Names},
    folder::Folder,
    place::{ObjectPlace, is_plain},
};
use crate::connector::{ConnectorError, ErrorClass};

/// The most answers that are kept for one bucket.
const MOST: u64 = 100_000;
/// How long a folder that nobody asks about is kept in mind.
const IDLE: Duration = Duration::from_secs(600);

/// What a bucket says.
type Asked<T> = Result<T, ConnectorError>;

/// A bucket whose answers are shared.
pub(super) struct SharedBucket {
    bucket: Bucket,
    share_for: Duration,
    lists: bool,
    looks: Cache<String, Answer<Asked<Found>>>,
    counts: Cache<(Arc<str>, usize), Answer<Asked<usize>>>,
    listings: Cache<String, Answer<Listing>>,
    folders: moka::sync::Cache<String, Arc<Folder>>,
}

/// What came of listing a folder.
#[derive(Clone)]
enum Listing {
    Names(Arc<Names>),
    /// It cannot be listed; its keys can be asked for.
    No,
    Failed(ConnectorError),
}

/// An answer, good for a while from when it was asked for.
#[derive(Clone)]
struct Answer<T> {
    value: T,
    good_until: Instant,
}

struct WhileGood;

impl<K, T> Expiry<K, Answer<T>> for WhileGood {
    fn expire_after_create(&self, _: &K, answer: &Answer<T>, now: Instant) -> Option<Duration> {
        Some(answer.good_until.saturating_duration_since(now))
    }
}

fn cache<K, T>(most: u64) -> Cache<K, Answer<T>>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(most).expire_after(WhileGood).build()
}

impl SharedBucket {
    pub(super) fn new(bucket: Bucket, shared: &Shared) -> Self {
        Self {
            bucket,
            share_for: shared.share_for,
            lists: shared.settings.max_listing > 0,
            looks: cache(MOST),
            counts: cache(MOST),
            listings: cache(MOST),
            folders: moka::sync::Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build(),
        }
    }

    /// What is at the place.
    pub(super) async fn look(&self, place: &ObjectPlace) -> Result<Found, ConnectorError> {
        if let Some(found) = self.look_in_listing(place).await {
            return found;
        }
        let key = if place.folder { format!("{}/", place.key) } else { place.key.to_string() };
        let look = self.answer(self.bucket.look(&place.key, place.folder));
        self.looks.get_with(key, look).await.value
    }

    /// How many objects are below the place, as far as `enough`.
    pub(super) async fn count(
        &self,
        place: &ObjectPlace,
        enough: usize,
    ) -> Result<usize, ConnectorError> {
        let count = self.answer(self.bucket.count(&place.key, enough));
        self.counts.get_with((place.key.clone(), enough), count).await.value
    }

    /// What a listing of the key's folder says of it, where one is cheaper.
    async fn look_in_listing(&self, place: &ObjectPlace) -> Option<Result<Found, ConnectorError>> {
        if !self.lists || place.key.is_empty() || !is_plain(&place.key) {
            return None;
        }
        let at = place.key.rfind('/').map_or(0, |slash| slash + 1);
        let (folder, name) = place.key.split_at(at);
        let known = self.folders.get_with_by_ref(folder, || Arc::new(Folder::new(self.share_for)));
        if !known.asks_for_listing(&place.key) {
            return None;
        }
        let list = self.answer(self.list(folder, &known));
        match self.listings.get_with_by_ref(folder, list).await.value {
            Listing::Names(names) => {
                let found = names.get(name).copied().unwrap_or(Found::Nothing);
                Some(Ok(match (found, place.folder) {
                    (Found::Object(_), true) => return None,
                    (found, _) => found,
                }))
            }
            Listing::No => None,
            Listing::Failed(error) => Some(Err(error)),
        }
    }

    async fn list(&self, folder: &str, known: &Folder) -> Listing {
        match self.bucket.names(folder).await {
            Ok((names, pages)) => {
                known.listed(pages);
                Listing::Names(Arc::new(names))
            }
            Err(Failure::Error(error)) if error.class() != ErrorClass::Denied => {
                Listing::Failed(error)
            }
            Err(_) => {
                known.unlistable();
                Listing::No
            }
        }
    }

    /// Gets an answer, which is as old as the question; but a slow store's is
    /// good for a while too, or it would be asked all the time.
    async fn answer<T>(&self, ask: impl Future<Output = T>) -> Answer<T> {
        let asked = Instant::now();
        let value = ask.await;
        let good_until = (asked + self.share_for).max(Instant::now() + self.share_for / 2);
        Answer { value, good_until }
    }
}
