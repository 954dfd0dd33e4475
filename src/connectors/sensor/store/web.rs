//! Web servers: what a URL answers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use moka::future::Cache;
use reqwest::Url;
use tokio::sync::Semaphore;

use super::{
    clients::{Clients, Purpose},
    transport::{Broken, retry_after, why},
};
use crate::{config, connector::ConnectorError};

/// How long a server that nobody asks is kept in mind.
const IDLE: Duration = Duration::from_secs(3600);
/// The most servers, and the most answers, that are kept in mind.
const MOST: u64 = 10_000;
/// The most of an answer's body that is read.
const LARGEST_BODY: usize = 1 << 20;

/// What a URL answered.
#[derive(Debug, Clone)]
pub(in crate::connectors::sensor) struct Page {
    pub(in crate::connectors::sensor) status: StatusCode,
    pub(in crate::connectors::sensor) headers: Arc<HeaderMap>,
    /// Empty unless it was asked for.
    pub(in crate::connectors::sensor) body: Bytes,
}

/// All web servers. An answer is shared by who asks for the same.
#[derive(Clone)]
pub(in crate::connectors::sensor) struct Web {
    clients: Clients,
    max_in_flight: usize,
    servers: moka::sync::Cache<String, Arc<Semaphore>>,
    pages: Cache<(Url, bool), Result<Page, ConnectorError>>,
}

impl Web {
    pub(in crate::connectors::sensor) fn new(
        settings: &config::Storage,
        share_for: Duration,
        clients: Clients,
    ) -> Self {
        Self {
            clients,
            max_in_flight: settings.max_in_flight,
            servers: moka::sync::Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build(),
            pages: Cache::builder().max_capacity(MOST).time_to_live(share_for).build(),
        }
    }

    /// What a GET of the URL answers, with its body if `read`. Time-outs, 5xx
    /// and 429 are errors that may pass.
    pub(in crate::connectors::sensor) async fn get(
        &self,
        url: &Url,
        read: bool,
    ) -> Result<Page, ConnectorError> {
        self.pages.get_with((url.clone(), read), self.fetch(url, read)).await
    }

    async fn fetch(&self, url: &Url, read: bool) -> Result<Page, ConnectorError> {
        let server = self
            .servers
            .get_with_by_ref(url.authority(), || Arc::new(Semaphore::new(self.max_in_flight)));
        let _permit = server.acquire().await;
        let error = |error: &reqwest::Error| {
            let (broken, cause) = why(error);
            if broken == Broken::TimedOut {
                self.clients.timed_out(url.authority());
            }
            let text = format!("cannot get {}: {cause}", shown(url));
            match broken {
                Broken::Connect => ConnectorError::unreached(text),
                _ => ConnectorError::transient(text),
            }
        };
        let client = self.clients.get(Purpose::Web, url.authority()).await;
        let client = client.map_err(|error| ConnectorError::transient(error.to_string()))?;
        let mut answer = client.get(url.clone()).send().await.map_err(|cause| error(&cause))?;
        refuse(url, &answer)?;
        let mut body = Vec::new();
        while read && let Some(chunk) = answer.chunk().await.map_err(|cause| error(&cause))? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(ConnectorError::permanent(format!(
                    "{} answers with more than {LARGEST_BODY} bytes, the most that a sensor reads",
                    shown(url)
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let status = answer.status();
        let headers = Arc::new(std::mem::take(answer.headers_mut()));
        Ok(Page { status, headers, body: body.into() })
    }
}

/// Refuses an answer that says nothing about the page.
fn refuse(url: &Url, answer: &reqwest::Response) -> Result<(), ConnectorError> {
    let status = answer.status();
    let passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let text = || format!("cannot get {}: HTTP {status}", shown(url));
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(ConnectorError::denied(text()));
    }
    if !passing {
        return Ok(());
    }
    let error = ConnectorError::transient(text());
    Err(match retry_after(answer.headers()) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    })
}

/// The URL without what may be a secret: user, password and query.
pub(in crate::connectors::sensor) fn shown(url: &Url) -> String {
    let query = if url.query().is_some() { "?..." } else { "" };
    format!("{}://{}{}{query}", url.scheme(), host(url), url.path())
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_secrets() {
        let url = Url::parse("https://me:pass@h:8443/a%20b?sig=secret#x").expect("a URL");
        assert_eq!(shown(&url), "https://h:8443/a%20b?...");
    }
}
