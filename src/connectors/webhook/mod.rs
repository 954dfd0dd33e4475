//! The webhook connector: a task is one HTTP request.
//!
//! It serves the tasks of flytekit's `WebhookTask`: fills in the templates of
//! `custom` with the task's inputs, sends a GET or a POST, and returns what came
//! back. The request on the wire is the one that flytekit's connector sends.
//!
//! Only status 200 succeeds. Everything else, from a template that cannot be
//! filled in to a server that does not answer, ends the task as FAILED with the
//! cause, as in flytekit: whether a request may be sent again is the user's to
//! say.

mod client;
mod headers;
mod request;
mod target;
mod template;
mod text;

use std::{collections::HashMap, time::Duration};

use prost::Message;
use reqwest::header::HeaderValue;

use crate::connector::{ConnectorError, Phase, Resource, SyncConnector, TaskCategory, TaskRequest};
use crate::wire::flyteidl::core::LiteralMap;
use crate::wire::literal::{self, LiteralError};
use client::{ExchangeError, WebhookClient};
use request::{RequestError, Webhook};
use template::TemplateError;

/// Room for what is around a response that is as large as it may be.
const FRAME: usize = 128;

/// Sends HTTP requests: `Webhook Connector`, task type `webhook`.
#[derive(Debug)]
pub struct WebhookConnector {
    client: WebhookClient,
    user_agent: HeaderValue,
    default_timeout: Duration,
    max_response_bytes: usize,
}

/// What an operator can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The `User-Agent` of requests that bring none.
    pub user_agent: String,
    /// The `timeout_sec` of templates that have none: how long each step of
    /// an exchange may take (until the head of the response; each read of its
    /// body).
    pub default_timeout: Duration,
    /// How long an exchange may take in all, whatever its template says.
    /// Propeller waits 10 s by default, and repeats a call that took longer.
    pub max_duration: Duration,
    /// How large a response may be: as sent, as text, and with what else is in
    /// the outputs. A larger one fails its task, because the reply to the
    /// caller must hold it, and propeller takes 4 MiB.
    pub max_response_bytes: usize,
    /// How long a connection is kept for the next request.
    pub pool_idle_timeout: Duration,
    /// How many connections to one host are kept.
    pub max_idle_per_host: usize,
}

impl Default for WebhookSettings {
    /// The limits of flytekit and httpx, where these have any.
    fn default() -> Self {
        Self {
            user_agent: concat!("flightdeck/", env!("CARGO_PKG_VERSION")).to_owned(),
            default_timeout: Duration::from_secs(10),
            max_duration: Duration::from_secs(300),
            max_response_bytes: 4_000_000,
            pool_idle_timeout: Duration::from_secs(5),
            max_idle_per_host: 20,
        }
    }
}

/// Settings that no connector can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSettingsError {
    /// The user agent has characters that a header cannot hold.
    #[error("user_agent is {0:?}; allowed is visible ASCII")]
    UserAgent(String),
    /// A limit that no request could keep.
    #[error("{0} is 0; it must be more")]
    Zero(&'static str),
}

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
enum WebhookError {
    #[error(transparent)]
    Literal(#[from] LiteralError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("Webhook failed with status code {status}, response: {text}")]
    Status { status: u16, text: String },
    #[error(
        "The webhook was invoked, but its outputs take {bytes} bytes, and this service takes \
         {limit} (webhook.max_response_bytes)"
    )]
    OutputsTooLarge { bytes: usize, limit: usize },
}

impl WebhookError {
    /// A limit of our own is not the user's fault.
    fn phase(&self) -> Phase {
        match self {
            Self::Exchange(ExchangeError::Client(_) | ExchangeError::MaxDuration(_)) => {
                Phase::RetryableFailed
            }
            _ => Phase::Failed,
        }
    }
}

impl WebhookConnector {
    /// A connector with these settings. Cheap: the client is set up with the
    /// first request.
    pub fn new(settings: WebhookSettings) -> Result<Self, WebhookSettingsError> {
        let user_agent = HeaderValue::from_str(&settings.user_agent)
            .map_err(|_| WebhookSettingsError::UserAgent(settings.user_agent.clone()))?;
        for (name, is_zero) in [
            ("default_timeout", settings.default_timeout.is_zero()),
            ("max_duration", settings.max_duration.is_zero()),
            ("max_response_bytes", settings.max_response_bytes == 0),
        ] {
            if is_zero {
                return Err(WebhookSettingsError::Zero(name));
            }
        }
        Ok(Self {
            user_agent,
            default_timeout: settings.default_timeout,
            max_response_bytes: settings.max_response_bytes,
            client: WebhookClient::new(settings),
        })
    }

    async fn invoke(&self, task: &TaskRequest) -> Result<Resource, WebhookError> {
        let webhook = webhook(task)?;
        let request = webhook.request(&self.user_agent)?;
        let timeout = webhook.timeout(self.default_timeout)?;
        let answer = self.client.send(request, timeout).await?;
        if answer.status != 200 {
            return Err(WebhookError::Status {
                status: answer.status,
                text: answer.text,
            });
        }
        let info = literal::msgpack(&webhook.info(answer.status, answer.text));
        let outputs = LiteralMap {
            literals: HashMap::from([("info".to_owned(), info)]),
        };
        self.check_size(&outputs)?;
        Ok(Resource::new(Phase::Succeeded)
            .with_message("Webhook was successfully invoked!")
            .with_outputs(outputs))
    }

    /// The response alone was checked before; `show_data` and `show_url` may
    /// add as much again.
    fn check_size(&self, outputs: &LiteralMap) -> Result<(), WebhookError> {
        let (bytes, limit) = (outputs.encoded_len(), self.max_response_bytes);
        if bytes > limit.saturating_add(FRAME) {
            return Err(WebhookError::OutputsTooLarge { bytes, limit });
        }
        Ok(())
    }

    fn failure(&self, error: &WebhookError) -> Resource {
        // a key that was not found is told with all the inputs
        let limit = self.max_response_bytes.saturating_add(FRAME);
        Resource::new(error.phase()).with_message(clip(error.to_string(), limit))
    }
}

impl SyncConnector for WebhookConnector {
    fn name(&self) -> &str {
        "Webhook Connector"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec!["webhook".into()]
    }

    async fn r#do(&self, task: &TaskRequest) -> Result<Resource, ConnectorError> {
        let outcome = self.invoke(task).await;
        Ok(outcome.unwrap_or_else(|error| self.failure(&error)))
    }
}

/// The task's template, filled in.
fn webhook(task: &TaskRequest) -> Result<Webhook, WebhookError> {
    let inputs = match &task.inputs {
        Some(inputs) => literal::map_to_dict(inputs)?,
        None => Default::default(),
    };
    let custom = match &task.template.custom {
        Some(custom) => literal::struct_to_dict(custom)?,
        None => Default::default(),
    };
    Ok(Webhook::new(template::fill_in(custom, inputs)?))
}

/// At most `limit` bytes of a message, which say so if they are not all.
fn clip(mut message: String, limit: usize) -> String {
    if message.len() > limit {
        let end = (0..=limit).rev().find(|&at| message.is_char_boundary(at));
        message.truncate(end.unwrap_or(0));
        message.push('…');
    }
    message
}
