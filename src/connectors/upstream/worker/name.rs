//! How a worker is called in logs, errors and metrics.

use std::{fmt, sync::Arc};

/// A worker of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerName {
    upstream: Arc<str>,
    worker: usize,
}

impl WorkerName {
    pub(super) fn new(upstream: &Arc<str>, worker: usize) -> Self {
        Self { upstream: upstream.clone(), worker }
    }

    /// The upstream's name.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Its number among the upstream's workers, from 0.
    pub fn worker(&self) -> usize {
        self.worker
    }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} of the upstream {:?}", self.worker, self.upstream)
    }
}
