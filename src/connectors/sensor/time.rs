//! `TimeSensor`: waits until an instant.

use std::time::{Duration, SystemTime};

use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{OWN_MODULE, given::Given};
use crate::connector::{ConnectorError, Sensor};

/// Input `until`, an instant with its offset from UTC:
/// `2026-11-21T06:00:00+00:00`.
pub(super) struct TimeSensor;

impl Sensor for TimeSensor {
    type Inputs = SystemTime;

    fn module(&self) -> &str {
        OWN_MODULE
    }

    fn name(&self) -> &str {
        "TimeSensor"
    }

    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        _config: Option<&Value>,
    ) -> Result<SystemTime, ConnectorError> {
        let given = Given::new(self.name(), inputs, &["until"])?;
        parse(given.text("until")?).map_err(|reason| given.wrong("until", &reason))
    }

    async fn poke(&self, until: &SystemTime) -> Result<bool, ConnectorError> {
        Ok(SystemTime::now() >= *until)
    }

    /// The instant itself, give or take a timer's millisecond.
    fn changed(&self, until: &SystemTime) -> Option<BoxFuture<'static, ()>> {
        let left = until.duration_since(SystemTime::now()).unwrap_or_default();
        Some(tokio::time::sleep(left + Duration::from_millis(1)).boxed())
    }
}

/// Reads an instant as Python's `datetime.isoformat` writes it with a time
/// zone. Without one it would be another instant on another machine.
pub(super) fn parse(text: &str) -> Result<SystemTime, String> {
    let at: Timestamp = text.trim().parse().map_err(|error| {
        format!(
            "{text:?} is no instant such as 2026-11-21T06:00:00+00:00, with its offset from UTC \
             ({error})"
        )
    })?;
    Ok(at.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_as_python_writes_it() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for text in [
            "2023-11-14T22:13:20+00:00",
            "2023-11-14T22:13:20Z",
            "2023-11-14 23:13:20+01:00",
            "2023-11-14T22:13:20.000000+00:00",
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["2023-11-14T22:13:20", "2023-11-14", "tomorrow", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
