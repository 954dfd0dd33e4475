//! A connector for jobs of a plain HTTP API, as a second example for authors:
//! how errors of HTTP are classed, and how a repeated create finds its job.
//!
//! The API is at `HTTP_JOBS_URL`; the task type is `http_job`.
//!
//! | request | answer |
//! |---|---|
//! | `POST /jobs` with `Idempotency-Key` and the task's `custom` as JSON | `{"id": "..."}` |
//! | `GET /jobs/{id}` | `{"state": "RUNNING", "message": "..."}` |
//! | `DELETE /jobs/{id}` | any 2xx |
//!
//! ```console
//! $ HTTP_JOBS_URL=http://localhost:8080 cargo run --example http_jobs -- serve
//! ```

use std::{env, process::ExitCode, time::Duration};

use flightdeck::{
    connector::*,
    telemetry::inject_trace,
    wire::{flyteidl::core::TaskLog, literal, python},
};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const URL: &str = "HTTP_JOBS_URL";

/// What finds the job again: its id, and not the URL of the API, which may
/// move, nor a token for it, because propeller logs the meta.
#[derive(Debug, Serialize, Deserialize)]
pub struct HttpJob {
    id: String,
}

impl JsonMeta for HttpJob {}

/// The connector: one client for all calls, so that connections are reused.
pub struct HttpJobs {
    client: Client,
    jobs: Url,
}

impl HttpJobs {
    /// A connector for the API at this URL.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let jobs = Url::parse(&format!("{}/jobs", url.trim_end_matches('/')))?;
        // A limit of each request that is shorter than Flightdeck's own (30 s,
        // and 60 s for a create), so that the error says what was slow.
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self { client, jobs })
    }

    /// The id comes back from the caller: it is one segment, whatever is in it.
    fn job_url(&self, job: &HttpJob) -> Url {
        let mut url = self.jobs.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&job.id);
        }
        url
    }
}

impl AsyncConnector for HttpJobs {
    type Meta = HttpJob;

    fn name(&self) -> &str {
        "HTTP jobs"
    }

    fn task_categories(&self) -> Vec<TaskCategory> {
        vec![TaskCategory::from("http_job")]
    }

    async fn create(&self, task: &TaskRequest) -> Result<HttpJob, ConnectorError> {
        let custom = task.template.custom.clone().unwrap_or_default();
        let custom = literal::struct_to_dict(&custom).map_err(invalid)?;
        let body = python::dumps(&python::Value::Dict(custom)).map_err(invalid)?;
        let request = self
            .client
            .post(self.jobs.clone())
            // A create whose reply is lost is repeated under the same key:
            // the API answers the repeat with the job that it has.
            .header("Idempotency-Key", task.idempotency_key.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        match send(request).await {
            Ok(response) => json(response).await,
            Err(error) => Err(match error.class() {
                // No job can be gone before there is one: the URL is wrong.
                ErrorClass::Gone => ConnectorError::permanent(error.message()),
                // Under the key even a request that did arrive may be repeated.
                ErrorClass::Transient => ConnectorError::unreached(error.message()),
                _ => error,
            }),
        }
    }

    async fn get(&self, job: &HttpJob) -> Result<Resource, ConnectorError> {
        let status: Status = json(send(self.client.get(self.job_url(job))).await?).await?;
        // An unknown state is no reason to fail a job that may be running well.
        let phase = Phase::from_state_name(&status.state).ok_or_else(|| {
            ConnectorError::transient(format!("job {} has no known state: {status:?}", job.id))
        })?;
        Ok(Resource { message: status.message, ..Resource::new(phase) })
    }

    /// A job that is gone counts as deleted: Flightdeck sees to that.
    async fn delete(&self, job: &HttpJob) -> Result<(), ConnectorError> {
        send(self.client.delete(self.job_url(job))).await.map(drop)
    }

    fn log_links(&self, job: &HttpJob) -> Vec<TaskLog> {
        vec![TaskLog {
            name: "Job".to_owned(),
            uri: self.job_url(job).into(),
            ..TaskLog::default()
        }]
    }
}

/// What the API tells of a job.
#[derive(Debug, Deserialize)]
struct Status {
    state: String,
    message: Option<String>,
}

/// Sends a request; anything but a 2xx is an error of a class.
async fn send(request: RequestBuilder) -> Result<Response, ConnectorError> {
    // The API can go on with the task's trace.
    let mut trace = HeaderMap::new();
    inject_trace(&mut trace);
    let response = request.headers(trace).send().await.map_err(not_answered)?;
    match response.status().is_success() {
        true => Ok(response),
        false => Err(refused(response).await),
    }
}

/// No answer. If there was no connection nothing was sent, and even a create
/// may be repeated; a connection that broke later may have started the job.
fn not_answered(error: reqwest::Error) -> ConnectorError {
    // Without the URL: reqwest's text has it, and it may hold credentials.
    let unreached = error.is_connect();
    let text = causes(&error.without_url());
    match unreached {
        true => ConnectorError::unreached(format!("cannot reach the API of jobs: {text}")),
        false => ConnectorError::transient(format!("the API of jobs did not answer: {text}")),
    }
}

/// An answer that is an error, by what its status means for the task.
async fn refused(response: Response) -> ConnectorError {
    let status = response.status();
    let wait = retry_after(&response);
    let text = response.text().await.unwrap_or_default();
    let text: String = text.chars().take(500).collect();
    let message = format!("the API of jobs answered {status}: {text}");
    let error = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ConnectorError::denied(message),
        StatusCode::NOT_FOUND | StatusCode::GONE => ConnectorError::gone(message),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            ConnectorError::transient(message)
        }
        status if status.is_client_error() => ConnectorError::permanent(message),
        _ => ConnectorError::transient(message),
    };
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// `Retry-After` in seconds; its other form, a date, is left to the backoff.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The body. It may break off, and it may be that of a proxy in between: both
/// pass.
async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ConnectorError> {
    let body = response.bytes().await.map_err(|error| {
        let text = causes(&error.without_url());
        ConnectorError::transient(format!("the answer of the API of jobs broke off: {text}"))
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        ConnectorError::transient(format!("the answer of the API of jobs makes no sense: {error}"))
    })
}

fn invalid(error: impl std::fmt::Display) -> ConnectorError {
    ConnectorError::invalid(format!("the template's custom cannot be sent: {error}"))
}

/// An error with what led to it: reqwest tells the reason in its sources only.
fn causes(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

fn main() -> ExitCode {
    let Ok(url) = env::var(URL) else {
        eprintln!("error: set {URL} to where the API of jobs is");
        return ExitCode::from(2);
    };
    match HttpJobs::new(&url) {
        Ok(connector) => flightdeck::cli::run_with(|connectors| {
            connectors.register(Connector::from_async(connector))
        }),
        Err(error) => {
            eprintln!("error: {URL}={url}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
