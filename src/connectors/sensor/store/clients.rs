//! The HTTP clients of all stores and web servers.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use reqwest::{Client, redirect, retry};
use tokio::{sync::OnceCell, task};

use crate::config;

/// How we name ourselves.
const USER_AGENT: &str = concat!("flightdeck/", env!("CARGO_PKG_VERSION"));

/// How long an idle connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(30);

/// The most servers that are under suspicion.
const MOST: u64 = 10_000;

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Stores: a redirect is an answer, proxies by the environment.
    Store,
    /// Web servers: redirects are followed as far as Python's client does.
    Web,
    /// The metadata service of the machine, which no proxy reaches.
    Metadata,
}

/// Clients, set up with the first request, because that reads the system's
/// certificates, and a service without sensors on stores needs none.
#[derive(Debug, Clone)]
pub(in crate::connectors::sensor) struct Clients(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_timeout: Duration,
    connect_timeout: Duration,
    made: [OnceCell<Client>; 5],
    /// Servers that did not answer in time: their idle connections may be
    /// dead, and each would cost a request its whole time-out.
    suspects: Cache<String, ()>,
}

/// A client that cannot be set up.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub(in crate::connectors::sensor) struct ClientError(String);

impl Clients {
    pub(in crate::connectors::sensor) fn new(settings: &config::Storage) -> Self {
        // Until the last idle connection that was open then has been closed.
        let suspected = IDLE + settings.request_timeout;
        Self(Arc::new(Inner {
            request_timeout: settings.request_timeout,
            connect_timeout: settings.connect_timeout,
            made: Default::default(),
            suspects: Cache::builder().max_capacity(MOST).time_to_live(suspected).build(),
        }))
    }

    /// The client for requests to a server (`host:port`).
    pub(super) async fn get(&self, purpose: Purpose, server: &str) -> Result<&Client, ClientError> {
        let fresh = self.0.suspects.contains_key(server);
        let (at, redirects, proxy) = match (purpose, fresh) {
            (Purpose::Store, false) => (0, 0, true),
            (Purpose::Store, true) => (1, 0, true),
            (Purpose::Web, false) => (2, 10, true),
            (Purpose::Web, true) => (3, 10, true),
            (Purpose::Metadata, _) => (4, 0, false),
        };
        let settings = Settings { redirects, proxy, reuse: !fresh };
        self.0.made[at].get_or_try_init(|| self.build(settings)).await
    }

    /// Says that a server did not answer in time: for a while each request to
    /// it gets a connection of its own.
    pub(super) fn timed_out(&self, server: &str) {
        self.0.suspects.insert(server.to_owned(), ());
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
    /// Whether connections are kept for the next request.
    reuse: bool,
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
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(if settings.reuse { usize::MAX } else { 0 });
        if settings.proxy { builder } else { builder.no_proxy() }
    };
    // In an image without certificates, plain HTTP must work all the same.
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}
