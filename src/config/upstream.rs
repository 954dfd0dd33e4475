//! `[[upstream]]`

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::Address;

/// `[[upstream]]`: a connector service that tasks are forwarded to, either one
/// that runs elsewhere (`endpoint`) or one that is started and supervised here
/// (`command`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// Its name in handles, logs and metrics. Under another name a restarted
    /// service does not find the upstream of its tasks again.
    pub name: String,
    /// Where it listens: `http://host:port`, `host:port` or `dns:///host:port`.
    pub endpoint: Option<Address>,
    /// Task types in which it goes before a connector that is built in.
    pub prefer: Vec<String>,
    /// The Python modules whose sensors it has, with everything below them;
    /// any module when empty.
    pub sensor_modules: Vec<String>,
    /// The program that is a worker, and its arguments; `{port}` and
    /// `{metrics_port}` stand for the ports that it is to listen on.
    pub command: Vec<String>,
    /// Processes; a Python service uses one core each.
    pub workers: usize,
    /// Variables of a worker's environment beside our own.
    pub environment: BTreeMap<String, String>,
    /// A worker's working folder; our own if absent.
    pub directory: Option<PathBuf>,
    /// Whether we are NOT_SERVING until the workers are there, and end if one
    /// of them cannot be started.
    pub wait: bool,
    /// How long a worker may take until it is SERVING.
    #[serde(with = "humantime_serde")]
    pub start_timeout: Duration,
    /// How long a worker may leave health checks without an answer before it
    /// is killed and started again. A Python connector that blocks its event
    /// loop answers none meanwhile.
    #[serde(with = "humantime_serde")]
    pub hang_timeout: Duration,
    /// How long a worker may take to stop before it is killed.
    #[serde(with = "humantime_serde")]
    pub stop_timeout: Duration,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            name: String::new(),
            endpoint: None,
            prefer: Vec::new(),
            sensor_modules: Vec::new(),
            command: Vec::new(),
            workers: 1,
            environment: BTreeMap::new(),
            directory: None,
            wait: true,
            start_timeout: Duration::from_secs(60),
            hang_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(5),
        }
    }
}
