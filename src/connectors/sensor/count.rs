//! `FileCountSensor`: waits until a folder has so many files or objects.

use serde_json::{Map, Value};

use super::{
    OWN_MODULE,
    file::{Files, Place},
    given::Given,
};
use crate::connector::{ConnectorError, Sensor};

/// The most that is counted: a hundred pages of a listing.
const MOST: u64 = 100_000;

/// Inputs `path` and `count`: at least so many files below it, in all folders.
pub(super) struct FileCountSensor {
    files: Files,
}

impl FileCountSensor {
    pub(super) fn new(files: Files) -> Self {
        Self { files }
    }
}

impl Sensor for FileCountSensor {
    type Inputs = (Place, usize);

    fn module(&self) -> &str {
        OWN_MODULE
    }

    fn name(&self) -> &str {
        "FileCountSensor"
    }

    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        _config: Option<&Value>,
    ) -> Result<Self::Inputs, ConnectorError> {
        let given = Given::new(self.name(), inputs, &["path", "count"])?;
        let count = inputs.get("count").and_then(Value::as_u64);
        match count.filter(|count| (1..=MOST).contains(count)) {
            Some(count) => Ok((given.storage("path")?, count as usize)),
            None => Err(given.wrong("count", &format!("it is a whole number from 1 to {MOST}"))),
        }
    }

    fn claims(&self, inputs: &Map<String, Value>) -> bool {
        inputs.get("path").and_then(Value::as_str).is_none_or(Place::is_served)
    }

    async fn poke(&self, (place, count): &Self::Inputs) -> Result<bool, ConnectorError> {
        Ok(self.files.count(place, *count).await? >= *count)
    }
}
