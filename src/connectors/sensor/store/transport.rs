//! The requests of `object_store` on our own HTTP client, with what came back
//! noted for whoever asked.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header::RETRY_AFTER};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};

use super::clients::{ClientError, Clients, Purpose};

/// The most of an answer that is read: a page of a listing with long names.
const LARGEST: usize = 16 << 20;

/// How a request ended that brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connectors::sensor) enum Broken {
    /// Nothing was sent: refused, or the name is not known.
    Connect,
    TimedOut,
    Cut,
}

/// What a request met.
#[derive(Debug, Clone)]
pub(super) enum Met {
    /// An answer.
    Answer { status: StatusCode, body: Bytes, retry_after: Option<Duration> },
    /// None, for this reason.
    Broken(Broken, String),
}

/// What the requests for one look met; it travels with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tap(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    last: Option<Met>,
    /// The bucket's region, where the server has named it.
    region: Option<String>,
}

impl Tap {
    /// What the last request met; `None` if there was none.
    pub(super) fn last(&self) -> Option<Met> {
        self.noted(|noted| noted.last.clone())
    }

    /// The region that the server has named.
    pub(super) fn region(&self) -> Option<String> {
        self.noted(|noted| noted.region.clone())
    }

    fn note(&self, met: Met, region: Option<String>) {
        self.noted(|noted| {
            noted.last = Some(met);
            noted.region = region.or_else(|| noted.region.take());
        });
    }

    // A mutex, because the request is another's; it is held for an instant.
    fn noted<T>(&self, read: impl FnOnce(&mut Noted) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Carries the requests of one bucket: those of a look have a [`Tap`], the
/// others get credentials.
#[derive(Clone)]
pub(super) struct Transport {
    clients: Clients,
    /// What the last request for credentials met.
    credentials: Tap,
}

impl Transport {
    pub(super) fn new(clients: Clients) -> Self {
        Self { clients, credentials: Tap::default() }
    }

    /// What the last request for credentials met.
    pub(super) fn credentials(&self) -> Option<Met> {
        self.credentials.last()
    }

    async fn send(&self, request: HttpRequest) -> Result<(HeaderMap, Met), ClientError> {
        let (parts, body) = request.into_parts();
        let server = parts.uri.authority().map_or("", |server| server.as_str()).to_owned();
        let purpose = if is_metadata(&parts.uri) { Purpose::Metadata } else { Purpose::Store };
        let client = self.clients.get(purpose, &server).await?;
        let url = match parts.uri.to_string().parse() {
            Ok(url) => url,
            Err(error) => {
                let what = format!("its address makes no URL: {error}");
                return Ok((HeaderMap::new(), Met::Broken(Broken::Cut, what)));
            }
        };
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() =
            body.as_bytes().filter(|body| !body.is_empty()).cloned().map(Into::into);
        let (headers, met) = exchange(client, request).await;
        if let Met::Broken(Broken::TimedOut, _) = met {
            self.clients.timed_out(&server);
        }
        Ok((headers, met))
    }
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let tap = request.extensions().get::<Tap>().unwrap_or(&self.credentials).clone();
        let (headers, met) = self
            .send(request)
            .await
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        tap.note(met.clone(), region(&headers, &met));
        match met {
            // It asked for a pause: repeating it at once would be rude.
            Met::Answer { retry_after: Some(_), status, .. } if !status.is_success() => {
                Err(HttpError::new(HttpErrorKind::Unknown, Ended(status.to_string())))
            }
            Met::Answer { status, body, .. } => {
                let mut response = http::Response::new(HttpResponseBody::from(body));
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                Ok(response)
            }
            Met::Broken(broken, cause) => Err(HttpError::new(kind(broken), Ended(cause))),
        }
    }
}

impl HttpConnector for Transport {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Ended(String);

async fn exchange(client: &reqwest::Client, request: reqwest::Request) -> (HeaderMap, Met) {
    let mut response = match client.execute(request).await {
        Ok(response) => response,
        Err(error) => return (HeaderMap::new(), broken(&error)),
    };
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST => {
                body.extend_from_slice(&chunk)
            }
            Ok(Some(_)) => {
                let what = format!("its answer has more than {LARGEST} bytes");
                return (headers, Met::Broken(Broken::Cut, what));
            }
            Ok(None) => break,
            Err(error) => return (headers, broken(&error)),
        }
    }
    let retry_after = retry_after(&headers);
    (headers, Met::Answer { status: response.status(), body: body.into(), retry_after })
}

/// What an error of the client says, without the URL, which may hold a secret.
pub(in crate::connectors::sensor) fn why(error: &reqwest::Error) -> (Broken, String) {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() {
        (Broken::TimedOut, "no answer in time".to_owned())
    } else if error.is_connect() {
        (Broken::Connect, format!("no connection: {cause}"))
    } else {
        (Broken::Cut, format!("the exchange broke off: {cause}"))
    }
}

fn broken(error: &reqwest::Error) -> Met {
    let (broken, cause) = why(error);
    Met::Broken(broken, cause)
}

fn kind(broken: Broken) -> HttpErrorKind {
    match broken {
        Broken::Connect => HttpErrorKind::Connect,
        Broken::TimedOut => HttpErrorKind::Timeout,
        Broken::Cut => HttpErrorKind::Interrupted,
    }
}

/// `Retry-After`, in seconds or as a date.
pub(in crate::connectors::sensor) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let date = SystemTime::from(date.timestamp());
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The region in a header of S3, or in the words of an error.
fn region(headers: &HeaderMap, met: &Met) -> Option<String> {
    if let Some(region) = headers.get("x-amz-bucket-region") {
        return region.to_str().ok().map(str::to_owned);
    }
    match met {
        Met::Answer { status, body, .. } if !status.is_success() => {
            super::answer::tag(body, "Region")
        }
        _ => None,
    }
}

fn is_metadata(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    host.starts_with("169.254.") || host == "metadata.google.internal" || host == "[fd00:ec2::254]"
}
