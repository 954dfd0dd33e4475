//! How often a task is polled.

use std::time::Duration;

use crate::config;

/// The rhythm of a task's polls. The configuration's `[polling]` section makes
/// the default; a connector may change it in
/// [`poll_policy`](super::AsyncConnector::poll_policy).
#[derive(Debug, Clone, PartialEq)]
pub struct PollPolicy {
    /// Pauses after the first polls, for jobs that end quickly.
    pub first: Vec<Duration>,
    /// The pause between polls after those.
    pub interval: Duration,
    /// By how much a pause is varied, as a part of it: 0.1 means plus or minus
    /// ten percent.
    pub jitter: f64,
    /// The longest pause that failures in a row lead to.
    pub max_backoff: Duration,
}

impl From<&config::Polling> for PollPolicy {
    fn from(polling: &config::Polling) -> Self {
        Self {
            first: polling.first.iter().map(|pause| **pause).collect(),
            interval: polling.interval,
            jitter: polling.jitter,
            max_backoff: polling.max_backoff,
        }
    }
}
