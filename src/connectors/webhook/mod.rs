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

use crate::config;
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

/// Settings that no connector can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("webhook.user_agent = {0:?} is not possible: it is visible ASCII")]
pub struct UserAgentError(String);

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
         {limit} (webhook.max_response_size)"
    )]
    OutputsTooLarge { bytes: usize, limit: usize },
}

impl WebhookError {
    /// A limit of our own is not the user's fault.
    fn phase(&self) -> Phase {
        match self {
            Self::Exchange(ExchangeError::Client(_)) => Phase::RetryableFailed,
            _ => Phase::Failed,
        }
    }
}

impl WebhookConnector {
    /// A connector with these settings. Cheap: the client is set up with the
    /// first request.
    ///
    /// # Errors
    /// If the user agent cannot be a header.
    pub fn new(settings: &config::Webhook) -> Result<Self, UserAgentError> {
        let user_agent = HeaderValue::from_str(&settings.user_agent)
            .map_err(|_| UserAgentError(settings.user_agent.clone()))?;
        let largest = settings.max_response_size.as_u64();
        let max_response_bytes = usize::try_from(largest).unwrap_or(usize::MAX);
        Ok(Self {
            user_agent,
            default_timeout: settings.default_timeout,
            max_response_bytes,
            client: WebhookClient::new(settings, max_response_bytes),
        })
    }

    async fn invoke(&self, task: &TaskRequest) -> Result<Resource, WebhookError> {
        let webhook = webhook(task)?;
        let request = webhook.request(&self.user_agent)?;
        let timeout = webhook.timeout(self.default_timeout)?;
        let answer = self.client.send(request, timeout).await?;
        if answer.status != 200 {
            return Err(WebhookError::Status { status: answer.status, text: answer.text });
        }
        let info = literal::msgpack(&webhook.info(answer.status, answer.text));
        let outputs = LiteralMap { literals: HashMap::from([("info".to_owned(), info)]) };
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
