//! The HTTP clients of all stores and web servers.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect, retry};
use tokio::{sync::OnceCell, task};

use crate::config;

/// How we name ourselves.
const USER_AGENT: &str = concat!("flightdeck/", env!("CARGO_PKG_VERSION"));

/// How long an idle connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(30);

/// Clients, set up with the first request, because that reads the system's
/// certificates, and a service without sensors on stores needs none.
#[derive(Debug, Clone)]
pub(in crate::connectors::sensor) struct Clients(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_timeout: Duration,
    connect_timeout: Duration,
    store: OnceCell<Client>,
    web: OnceCell<Client>,
    local: OnceCell<Client>,
}

/// A client that cannot be set up.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub(in crate::connectors::sensor) struct ClientError(String);

impl Clients {
    pub(in crate::connectors::sensor) fn new(settings: &config::Storage) -> Self {
        Self(Arc::new(Inner {
            request_timeout: settings.request_timeout,
            connect_timeout: settings.connect_timeout,
            store: OnceCell::new(),
            web: OnceCell::new(),
            local: OnceCell::new(),
        }))
    }

    /// For stores: a redirect is an answer, proxies by the environment.
    pub(super) async fn store(&self) -> Result<&Client, ClientError> {
        let settings = Settings { redirects: 0, proxy: true };
        self.0.store.get_or_try_init(|| self.build(settings)).await
    }

    /// For web servers: redirects are followed as far as Python's client does.
    pub(in crate::connectors::sensor) async fn web(&self) -> Result<&Client, ClientError> {
        let settings = Settings { redirects: 10, proxy: true };
        self.0.web.get_or_try_init(|| self.build(settings)).await
    }

    /// For the metadata service of the machine, which no proxy reaches.
    pub(super) async fn local(&self) -> Result<&Client, ClientError> {
        let settings = Settings { redirects: 0, proxy: false };
        self.0.local.get_or_try_init(|| self.build(settings)).await
    }

    async fn build(&self, settings: Settings) -> Result<Client, ClientError> {
        let inner = self.0.clone();
        task::spawn_blocking(move || build(&inner, settings))
            .await
            .map_err(|error| ClientError(error.to_string()))?
            .map_err(|error| ClientError(error.without_url().to_string()))
    }
}

#[derive(Clone, Copy)]
struct Settings {
    redirects: usize,
    proxy: bool,
}

/// HTTP/1.1 alone: a connection whose peer is gone then costs the one request
/// on it, and is not used again after its time-out.
fn build(inner: &Inner, settings: Settings) -> reqwest::Result<Client> {
    let builder = || {
        let redirects = match settings.redirects {
            0 => redirect::Policy::none(),
            most => redirect::Policy::limited(most),
        };
        let builder = Client::builder()
            .http1_only()
            .user_agent(USER_AGENT)
            .redirect(redirects)
            .retry(retry::never())
            .referer(false)
            .timeout(inner.request_timeout)
            .connect_timeout(inner.connect_timeout)
            .tcp_keepalive(IDLE)
            .pool_idle_timeout(IDLE);
        if settings.proxy { builder } else { builder.no_proxy() }
    };
    // In an image without certificates, plain HTTP must work all the same.
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}
