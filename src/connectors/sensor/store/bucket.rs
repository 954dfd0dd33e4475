//! One bucket: which requests answer a question about it.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use futures::future::{BoxFuture, FutureExt};
use object_store::{
    Error as StoreError, GetOptions, ObjectMeta,
    list::{PaginatedListOptions, PaginatedListResult},
    path,
};
use tokio::sync::Semaphore;

use super::{
    Found, Objects, Shared, answer,
    breaker::Breaker,
    place::{BucketName, Vendor, is_plain},
    transport::{Met, Tap, Transport},
};
use crate::connector::{ConnectorError, ErrorClass};

/// The most pages without an entry that are followed: a store may have looked
/// through many names that do not count.
const EMPTY_PAGES: usize = 10;

/// What is right below a folder: names, without the slash of a folder.
pub(super) type Names = std::collections::HashMap<Box<str>, Found>;

/// One bucket. Nothing here is shared or kept: each call sends requests.
pub(super) struct Bucket {
    pub(super) name: BucketName,
    shared: Arc<Shared>,
    transport: Transport,
    client: ArcSwapOption<Client>,
    permits: Semaphore,
    breaker: Arc<Breaker>,
}

struct Client {
    objects: Box<dyn Objects>,
    region: Option<String>,
}

/// Why a request brought nothing.
pub(super) enum Failure {
    Error(ConnectorError),
    /// This name is in the way: `object_store` cannot say it, so that the page
    /// with it is lost.
    OddName(String),
    /// There are more names than are read.
    TooMany,
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Self::Error(error)
    }
}

/// A request under way.
type Sent<T> = BoxFuture<'static, object_store::Result<T>>;

/// The first name of a listing.
struct First {
    /// Without a slash at its start or its end.
    name: String,
    written: Option<SystemTime>,
}

impl Bucket {
    pub(super) fn new(name: BucketName, shared: Arc<Shared>) -> Self {
        Self {
            transport: Transport::new(shared.clients.clone()),
            client: ArcSwapOption::empty(),
            permits: Semaphore::new(shared.settings.max_in_flight),
            breaker: Breaker::new(shared.share_for),
            name,
            shared,
        }
    }

    /// What is at a key; the bucket itself for an empty one. As in fsspec a
    /// key with something below it is there too.
    pub(super) async fn look(&self, key: &str, folder: bool) -> Result<Found, ConnectorError> {
        if key.is_empty() {
            return self.look_at_bucket().await;
        }
        if folder {
            return self.look_below(key).await;
        }
        match self.lists_in_order() {
            true => self.look_by_listing(key).await,
            false => match self.head(key).await? {
                Some(written) => Ok(Found::Object(written)),
                None => self.look_below(key).await,
            },
        }
    }

    async fn look_at_bucket(&self) -> Result<Found, ConnectorError> {
        match self.first("").await {
            Ok(_) => Ok(Found::Folder),
            Err(error) if error.class() == ErrorClass::Gone => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// The names that begin with the key are listed in order: the key itself
    /// is the first of them, and one request tells of the object, the folder
    /// and the bucket.
    async fn look_by_listing(&self, key: &str) -> Result<Found, ConnectorError> {
        let first = match self.first(key).await {
            Ok(first) => first,
            // Who may read the object need not be allowed to list.
            Err(error) if error.class() == ErrorClass::Denied => {
                return match self.head(key).await {
                    Ok(Some(written)) => Ok(Found::Object(written)),
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        let Some(first) = first else { return Ok(Found::Nothing) };
        let key_path = key.strip_prefix('/').unwrap_or(key);
        match first.name.strip_prefix(key_path) {
            Some("") => Ok(Found::Object(first.written.unwrap_or(SystemTime::UNIX_EPOCH))),
            Some(rest) if rest.starts_with('/') => Ok(Found::Folder),
            // Others begin so too, and may come between the key and the folder.
            _ => self.look_below(key).await,
        }
    }

    async fn look_below(&self, key: &str) -> Result<Found, ConnectorError> {
        let first = self.first(&format!("{key}/")).await?;
        Ok(first.map_or(Found::Nothing, |_| Found::Folder))
    }

    /// The names right below a folder, which ends with a slash or is empty.
    pub(super) async fn names(&self, folder: &str) -> Result<(Names, usize), Failure> {
        let (mut names, mut pages) = (Names::new(), 0);
        let mut options =
            PaginatedListOptions { delimiter: Some("/".into()), ..Default::default() };
        loop {
            let page = self.page(folder, options.clone()).await?;
            pages += 1;
            let name = |path: &path::Path| path.as_ref().strip_prefix(folder).map(Box::from);
            for folder in &page.result.common_prefixes {
                names.extend(name(folder).map(|name| (name, Found::Folder)));
            }
            for object in &page.result.objects {
                let found = Found::Object(object.last_modified.into());
                names.extend(name(&object.location).map(|name| (name, found)));
            }
            if names.len() > self.shared.settings.max_listing {
                return Err(Failure::TooMany);
            }
            match page.page_token {
                Some(token) => options.page_token = Some(token),
                None => return Ok((names, pages)),
            }
        }
    }

    /// How many objects are below a key, as far as `enough`. A marker that
    /// stands for the folder itself is none.
    pub(super) async fn count(&self, key: &str, enough: usize) -> Result<usize, ConnectorError> {
        let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
        let (mut count, mut options) = (0, PaginatedListOptions::default());
        loop {
            let page = match self.page(&prefix, options.clone()).await {
                Ok(page) => page,
                Err(failure) => return Err(self.error(failure, &prefix)),
            };
            let below = |object: &&ObjectMeta| object.location.as_ref().len() >= prefix.len();
            count += page.result.objects.iter().filter(below).count();
            match page.page_token {
                Some(token) if count < enough => options.page_token = Some(token),
                _ => return Ok(count.min(enough)),
            }
        }
    }

    /// True if names come in the order of their bytes, and one that is the
    /// prefix itself comes with them.
    fn lists_in_order(&self) -> bool {
        match self.name.vendor {
            Vendor::S3 => !self.name.bucket.ends_with("--x-s3"),
            Vendor::Gcs => true,
            // `object_store` leaves out the name that is the prefix.
            Vendor::Azure => false,
        }
    }

    /// The first name with the prefix, if there is any.
    async fn first(&self, prefix: &str) -> Result<Option<First>, ConnectorError> {
        let mut options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
        for _ in 0..EMPTY_PAGES {
            let page = match self.page(prefix, options.clone()).await {
                Ok(page) => page,
                Err(Failure::OddName(name)) => {
                    let name = name.trim_start_matches('/').trim_end_matches('/').to_owned();
                    return Ok(Some(First { name, written: None }));
                }
                Err(failure) => return Err(self.error(failure, prefix)),
            };
            let object = page.result.objects.first();
            let object = object.map(|object| (&object.location, Some(object.last_modified)));
            let found = object.or_else(|| page.result.common_prefixes.first().map(|p| (p, None)));
            if let Some((path, written)) = found {
                let name = path.as_ref().to_owned();
                return Ok(Some(First { name, written: written.map(SystemTime::from) }));
            }
            match page.page_token {
                Some(token) => options.page_token = Some(token),
                None => break,
            }
        }
        Ok(None)
    }

    /// When an object was written, if there is one of just this key.
    async fn head(&self, key: &str) -> Result<Option<SystemTime>, ConnectorError> {
        if !is_plain(key) {
            return Ok(None);
        }
        let location = path::Path::parse(key).unwrap_or_default();
        let answer = self.request(key, move |client, tap| {
            let mut options = GetOptions { head: true, ..GetOptions::default() };
            options.extensions.insert(tap);
            let location = location.clone();
            async move { client.objects.get_opts(&location, options).await }.boxed()
        });
        match answer.await {
            Ok(answer) => Ok(Some(answer.meta.last_modified.into())),
            // A missing bucket is told by the listing that follows.
            Err(Failure::Error(error)) if error.class() == ErrorClass::Gone => Ok(None),
            Err(failure) => Err(self.error(failure, key)),
        }
    }

    async fn page(
        &self,
        prefix: &str,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult, Failure> {
        let listed = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
        let page = self.request(prefix, move |client, tap| {
            let (listed, mut options) = (listed.clone(), options.clone());
            options.extensions.insert(tap);
            async move { client.objects.list_paginated(listed.as_deref(), options).await }.boxed()
        });
        page.await
    }

    /// Sends a request, and once more if the bucket turns out to be in another
    /// region.
    async fn request<T>(
        &self,
        key: &str,
        send: impl Fn(Arc<Client>, Tap) -> Sent<T>,
    ) -> Result<T, Failure> {
        let _permit = self.permits.acquire().await;
        let pass = self.breaker.enter()?;
        let client = self.client()?;
        let (mut result, tap) = send_tapped(client.clone(), &send).await;
        if result.is_err()
            && let Some(region) = tap.region().filter(|_| self.name.vendor == Vendor::S3)
            && client.region.as_ref() != Some(&region)
        {
            let client = self.connect(Some(region))?;
            (result, _) = send_tapped(client, &send).await;
        }
        let result = result.map_err(|error| self.failure(error, &tap, key));
        pass.ended(match &result {
            Err(Failure::Error(error)) => Some(error),
            _ => None,
        });
        result
    }

    fn client(&self) -> Result<Arc<Client>, ConnectorError> {
        match self.client.load_full() {
            Some(client) => Ok(client),
            None => self.connect(None),
        }
    }

    fn connect(&self, region: Option<String>) -> Result<Arc<Client>, ConnectorError> {
        let made = self.shared.connect(&self.name, self.transport.clone(), region.as_deref());
        let objects = made.map_err(|cause| {
            ConnectorError::denied(format!("cannot look at {}: {cause}", self.name))
        })?;
        let client = Arc::new(Client { objects, region });
        self.client.store(Some(client.clone()));
        Ok(client)
    }

    fn failure(&self, error: StoreError, tap: &Tap, key: &str) -> Failure {
        let what = format!("{}/{key}", self.name);
        match (error, tap.last()) {
            (StoreError::InvalidPath { source }, _) => match source {
                path::Error::EmptySegment { path } | path::Error::BadSegment { path, .. } => {
                    Failure::OddName(path)
                }
                other => Failure::Error(ConnectorError::permanent(format!(
                    "cannot look at {what}: {other}"
                ))),
            },
            (_, Some(Met::Answer { status, .. })) if status.is_success() => {
                Failure::Error(ConnectorError::transient(format!(
                    "cannot look at {what}: what came back is no answer of a store; is the \
                     endpoint right?"
                )))
            }
            (_, Some(met)) => Failure::Error(answer::error(&self.name, &what, &met)),
            (error, None) => Failure::Error(self.no_credentials(&what, &error)),
        }
    }

    /// Nothing was sent to the store: there were no credentials to sign with.
    fn no_credentials(&self, what: &str, error: &StoreError) -> ConnectorError {
        let vendor = match self.name.vendor {
            Vendor::S3 => "AWS_ACCESS_KEY_ID, FLYTE_AWS_ACCESS_KEY_ID or [storage.s3]",
            Vendor::Gcs => "GOOGLE_APPLICATION_CREDENTIALS or [storage.gcs]",
            Vendor::Azure => "FLYTE_AZURE_STORAGE_ACCOUNT_KEY, AZURE_CLIENT_ID or [storage.azure]",
        };
        let hint = format!("set {vendor}, or give the service an identity");
        let met = match self.transport.credentials() {
            Some(Met::Answer { status, retry_after, .. }) if !status.is_success() => {
                let cause = format!("their service answered HTTP {}", status.as_u16());
                let text = format!("cannot look at {what}: no credentials: {cause}; {hint}");
                let passing = status.is_server_error() || status.as_u16() == 429;
                return match (passing, retry_after) {
                    (true, Some(wait)) => ConnectorError::transient(text).with_retry_after(wait),
                    (true, None) => ConnectorError::transient(text),
                    (false, _) => ConnectorError::denied(text),
                };
            }
            Some(Met::Broken(_, cause)) => cause,
            _ => answer::clip(&error.to_string()),
        };
        ConnectorError::denied(format!("cannot look at {what}: no credentials: {met}; {hint}"))
    }

    pub(super) fn error(&self, failure: Failure, key: &str) -> ConnectorError {
        match failure {
            Failure::Error(error) => error,
            Failure::OddName(name) => ConnectorError::denied(format!(
                "cannot look at {}/{key}: there is a name with an empty, a \".\" or a \"..\" \
                 segment in it, {name:?}",
                self.name
            )),
            Failure::TooMany => ConnectorError::denied(format!(
                "cannot look at {}/{key}: there are too many names",
                self.name
            )),
        }
    }
}

async fn send_tapped<T>(
    client: Arc<Client>,
    send: &impl Fn(Arc<Client>, Tap) -> Sent<T>,
) -> (object_store::Result<T>, Tap) {
    let tap = Tap::default();
    (send(client, tap.clone()).await, tap)
}
