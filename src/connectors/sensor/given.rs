//! The inputs of a sensor, read with words for what is wrong.

use serde_json::{Map, Value};

use super::file::Place;
use crate::connector::ConnectorError;

/// The inputs that a task of one sensor was given.
pub(super) struct Given<'a> {
    sensor: &'a str,
    inputs: &'a Map<String, Value>,
}

impl<'a> Given<'a> {
    /// Refuses an input that the sensor does not have.
    pub(super) fn new(
        sensor: &'a str,
        inputs: &'a Map<String, Value>,
        names: &[&str],
    ) -> Result<Self, ConnectorError> {
        match inputs.keys().find(|name| !names.contains(&name.as_str())) {
            Some(other) => Err(ConnectorError::invalid(format!(
                "{sensor} has no input {other:?}; it has {}",
                names.join(" and ")
            ))),
            None => Ok(Self { sensor, inputs }),
        }
    }

    /// An input that is a string.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, ConnectorError> {
        match self.inputs.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(self.wrong(name, "it must be a string")),
            None => Err(self.wrong(name, "it is missing")),
        }
    }

    /// An input that names a place in a storage, not on a web server.
    pub(super) fn storage(&self, name: &str) -> Result<Place, ConnectorError> {
        match Place::parse(self.sensor, self.text(name)?)? {
            Place::Web(_) => {
                Err(self.wrong(name, "it is on a web server, which has no times and no folders"))
            }
            place => Ok(place),
        }
    }

    /// The error for an input that cannot be used.
    pub(super) fn wrong(&self, name: &str, reason: &str) -> ConnectorError {
        ConnectorError::invalid(format!("{}'s input {name} cannot be used: {reason}", self.sensor))
    }
}
