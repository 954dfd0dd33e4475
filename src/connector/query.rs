//! What a caller asks of a task's logs and metrics.

use std::{pin::Pin, time::Duration, time::SystemTime};

use futures::Stream;

use super::ConnectorError;
use crate::wire::flyteidl::admin::LogLine;

/// A request for lines of a task's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// How many lines to return at most; 0 leaves it to the connector.
    pub lines: u64,
    /// Where to go on: the token of the page before, or empty for the start.
    pub token: String,
}

/// A part of a task's log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogPage {
    /// Plain lines.
    pub results: Vec<String>,
    /// Lines with a time and an origin.
    pub structured_lines: Vec<LogLine>,
    /// Where the next page starts; empty after the last one.
    pub token: String,
}

/// The pages of a task's log, in order.
pub type LogStream = Pin<Box<dyn Stream<Item = Result<LogPage, ConnectorError>> + Send>>;

/// A request for measurements of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsQuery {
    /// The names of the metrics; all of them when empty.
    pub queries: Vec<String>,
    /// The start of the range; the task's creation when absent.
    pub start: Option<SystemTime>,
    /// The end of the range; now when absent.
    pub end: Option<SystemTime>,
    /// The distance between points, where the connector can choose it.
    pub step: Option<Duration>,
}
