//! The HTTP client that all webhook tasks share.

use std::{error::Error as StdError, future::Future, io, time::Duration};

use reqwest::{
    Client, Request, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName},
    redirect, retry,
};
use tokio::{sync::OnceCell, task, time};

use super::text::{self, TextError};
use crate::{config, telemetry::inject_trace};

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

/// An exchange that brought no answer. Where httpx's words are not empty, they
/// are at the start of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("The HTTP client cannot be set up: {0}")]
    Client(String),
    #[error("All connection attempts failed: {0}")]
    Connect(String),
    #[error("Server disconnected without sending a response.")]
    Disconnected,
    #[error("peer closed connection without sending complete message body ({0})")]
    Incomplete(String),
    #[error("The HTTP exchange failed: {0}")]
    Protocol(String),
    #[error("The webhook timed out: {waited_for} within {} s (timeout_sec)", limit.as_secs_f64())]
    Timeout { waited_for: &'static str, limit: Duration },
    #[error(
        "The webhook answered with status code {status}, but its response is {error}, the most \
         that this service takes (webhook.max_response_size)"
    )]
    TooLarge { status: u16, error: TextError },
    #[error(transparent)]
    Text(TextError),
}

/// One pool of connections. It is set up with the first request, because that
/// reads the system's certificates, and a service without webhooks needs none.
#[derive(Debug)]
pub(super) struct WebhookClient {
    settings: config::Webhook,
    max_response_bytes: usize,
    http: OnceCell<Client>,
}

impl WebhookClient {
    pub(super) fn new(settings: &config::Webhook, max_response_bytes: usize) -> Self {
        Self { settings: settings.clone(), max_response_bytes, http: OnceCell::new() }
    }

    /// Sends a request and reads the answer. Each step (connecting, sending
    /// and waiting for the head of the response; then each read of its body)
    /// may take `step`; all of them together are the supervisor's to limit.
    pub(super) async fn send(
        &self,
        mut request: Request,
        step: Option<Duration>,
    ) -> Result<Answer, ExchangeError> {
        inject_trace(request.headers_mut());
        let http = self.http.get_or_try_init(|| self.build()).await?;
        let mut response = within(step, "no response", http.execute(request))
            .await?
            .map_err(|error| no_response(&error))?;
        let body = self.read_body(&mut response, step).await?;
        self.answer(&response, body)
    }

    async fn read_body(
        &self,
        response: &mut Response,
        step: Option<Duration>,
    ) -> Result<Vec<u8>, ExchangeError> {
        let announced = response.content_length();
        let mut body = Vec::new();
        while let Some(chunk) = within(step, "no more of the response", response.chunk())
            .await?
            .map_err(|error| incomplete(&error, body.len(), announced))?
        {
            body.extend_from_slice(&chunk);
            self.check_size(response, body.len())?;
        }
        Ok(body)
    }

    fn answer(&self, response: &Response, body: Vec<u8>) -> Result<Answer, ExchangeError> {
        let limit = self.max_response_bytes;
        let body = text::decompress(body, &header(response, &CONTENT_ENCODING), limit).map_err(
            |error| match error {
                TextError::TooLarge(_) => {
                    ExchangeError::TooLarge { status: response.status().as_u16(), error }
                }
                error => ExchangeError::Text(error),
            },
        )?;
        let text = text::decode(&body, &header(response, &CONTENT_TYPE));
        // a byte of another character set may be three in UTF-8
        self.check_size(response, text.len())?;
        Ok(Answer { status: response.status().as_u16(), text })
    }

    fn check_size(&self, response: &Response, bytes: usize) -> Result<(), ExchangeError> {
        let limit = self.max_response_bytes;
        if bytes <= limit {
            return Ok(());
        }
        Err(ExchangeError::TooLarge {
            status: response.status().as_u16(),
            error: TextError::TooLarge(limit),
        })
    }

    async fn build(&self) -> Result<Client, ExchangeError> {
        let settings = self.settings.clone();
        task::spawn_blocking(move || build(&settings))
            .await
            .map_err(|error| ExchangeError::Client(error.to_string()))?
            .map_err(|error| ExchangeError::Client(root_cause(&error)))
    }
}

/// A client that does what httpx does by default, and no more: HTTP/1.1, no
/// redirects, no second attempts, no cookies, proxies by the environment.
fn build(settings: &config::Webhook) -> reqwest::Result<Client> {
    let builder = || {
        Client::builder()
            .http1_only()
            .http1_title_case_headers()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .pool_idle_timeout(settings.pool_idle_timeout)
            .pool_max_idle_per_host(settings.max_idle_per_host)
    };
    // In an image without certificates, plain HTTP must work all the same.
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}

async fn within<T>(
    limit: Option<Duration>,
    waited_for: &'static str,
    step: impl Future<Output = T>,
) -> Result<T, ExchangeError> {
    match limit {
        None => Ok(step.await),
        // a timeout polls first, so that a step of no time might be done
        Some(limit) if limit.is_zero() => Err(ExchangeError::Timeout { waited_for, limit }),
        Some(limit) => time::timeout(limit, step)
            .await
            .map_err(|_| ExchangeError::Timeout { waited_for, limit }),
    }
}

fn no_response(error: &reqwest::Error) -> ExchangeError {
    if error.is_connect() {
        ExchangeError::Connect(root_cause(error))
    } else if causes(error).any(is_incomplete_message) {
        ExchangeError::Disconnected
    } else {
        ExchangeError::Protocol(root_cause(error))
    }
}

fn incomplete(error: &reqwest::Error, received: usize, announced: Option<u64>) -> ExchangeError {
    let cut_off = causes(error).any(|cause| is_incomplete_message(cause) || is_end_of_file(cause));
    if !cut_off {
        return ExchangeError::Protocol(root_cause(error));
    }
    // what is left of the announced length, if it is a length
    ExchangeError::Incomplete(match announced {
        Some(announced) => format!("received {received} bytes, expected {announced}"),
        None => "incomplete chunked read".to_owned(),
    })
}

fn is_incomplete_message(cause: &(dyn StdError + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
}

fn is_end_of_file(cause: &(dyn StdError + 'static)) -> bool {
    cause
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// The innermost cause: those around it tell of reqwest, and repeat the URL,
/// which may hold a secret.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}

/// All values of a header, separated by commas; empty if there is none.
fn header(response: &Response, name: &HeaderName) -> String {
    let values: Vec<_> = response
        .headers()
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(", ")
}
