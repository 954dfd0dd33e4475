//! How often a task is polled.

use std::time::Duration;

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

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            first: [1, 2, 4].map(Duration::from_secs).to_vec(),
            interval: Duration::from_secs(10),
            jitter: 0.1,
            max_backoff: Duration::from_secs(120),
        }
    }
}
