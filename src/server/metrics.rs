//! The Prometheus endpoint: `/metrics`, and `/` as Python's client has it.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{connectors::upstream::Scraper, telemetry::Metrics};

/// Prometheus' text format, in the words of Python's client.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a scrape tells: our metrics, and those of workers if there are any.
#[derive(Clone)]
struct Sources {
    own: Arc<Metrics>,
    workers: Option<Scraper>,
}

pub(super) fn router(own: Arc<Metrics>, workers: Option<Scraper>) -> Router {
    let sources = Sources { own, workers };
    Router::new().route("/metrics", get(scrape)).route("/", get(scrape)).with_state(sources)
}

async fn scrape(State(sources): State<Sources>) -> Response {
    let own = sources.own.render();
    let all = match (own, &sources.workers) {
        (Ok(own), Some(workers)) => Ok(workers.merge_into(&own).await),
        (own, _) => own,
    };
    match all {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
