//! `[sensor]`

use std::time::Duration;

use serde::Deserialize;

/// `[sensor]`: the sensor connector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sensor {
    /// The pause between pokes, instead of `polling.interval`.
    #[serde(with = "humantime_serde")]
    pub interval: Option<Duration>,
    /// The longest pause that failed pokes in a row lead to, where it is less
    /// than `polling.max_backoff`: a shared check is cheap, and a sensor is to
    /// be back soon after its storage is.
    #[serde(with = "humantime_serde")]
    pub max_backoff: Duration,
    /// Whether local files are noticed as they appear, where the system can
    /// tell; they are polled all the same.
    pub watch_files: bool,
}

impl Default for Sensor {
    fn default() -> Self {
        Self { interval: None, max_backoff: Duration::from_secs(30), watch_files: true }
    }
}
