//! The metrics of workers, asked for when ours are.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, header::ACCEPT, redirect::Policy};
use tracing::debug;

use super::{MetricsEndpoint, Workers};
use crate::telemetry::exposition::Exposition;

/// How long a worker may take: a scrape of ours has to be over in ten seconds.
const LIMIT: Duration = Duration::from_secs(1);
/// How much one may tell, in bytes.
const LARGEST: usize = 4 << 20;

/// Asks workers for their metrics.
#[derive(Debug, Clone)]
pub struct Scraper {
    client: Client,
    workers: Vec<MetricsEndpoint>,
}

impl Scraper {
    /// A scraper of all these workers; `None` where there are none.
    ///
    /// # Errors
    /// If there can be no HTTP client.
    pub(in crate::connectors::upstream) fn new<'a>(
        workers: impl IntoIterator<Item = &'a Workers>,
    ) -> reqwest::Result<Option<Self>> {
        let workers: Vec<_> = workers.into_iter().flat_map(|w| w.metrics.clone()).collect();
        if workers.is_empty() {
            return Ok(None);
        }
        // A proxy of the environment is for addresses elsewhere.
        let client =
            Client::builder().no_proxy().redirect(Policy::none()).timeout(LIMIT).build()?;
        Ok(Some(Self { client, workers }))
    }

    /// Adds what live workers tell to our own metrics, with labels that name
    /// them. A worker that does not answer in time is left out.
    pub async fn merge_into(&self, own: &str) -> String {
        let all = join_all(self.workers.iter().map(|worker| self.ask(worker))).await;
        let mut merged = Exposition::default();
        merged.add(own, &[]);
        for (endpoint, text) in self.workers.iter().zip(all) {
            if let Some(text) = text {
                let number = endpoint.worker.worker().to_string();
                let labels = [("upstream", endpoint.worker.upstream()), ("worker", &number)];
                merged.add(&text, &labels);
            }
        }
        merged.to_string()
    }

    async fn ask(&self, endpoint: &MetricsEndpoint) -> Option<String> {
        let address = *endpoint.address.load_full()?;
        match self.read(&format!("http://{address}/metrics")).await {
            Ok(text) => text,
            Err(error) => {
                debug!(worker = %endpoint.worker, %error, "a worker does not tell its metrics");
                None
            }
        }
    }

    /// The text, if it is one and not too long.
    async fn read(&self, url: &str) -> reqwest::Result<Option<String>> {
        let request = self.client.get(url).header(ACCEPT, "text/plain;version=0.0.4");
        let mut response = request.send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8(body).ok())
    }
}
