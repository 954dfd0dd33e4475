//! `FileNewerSensor`: waits until a file or an object was written after an
//! instant.

use std::time::SystemTime;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::{
    OWN_MODULE,
    file::{Files, Place},
    given::Given,
    time,
};
use crate::connector::{ConnectorError, Sensor};

/// Inputs `path` and `since`, an instant with its offset from UTC. A folder
/// has no time of its own.
pub(super) struct FileNewerSensor {
    files: Files,
}

impl FileNewerSensor {
    pub(super) fn new(files: Files) -> Self {
        Self { files }
    }
}

impl Sensor for FileNewerSensor {
    type Inputs = (Place, SystemTime);

    fn module(&self) -> &str {
        OWN_MODULE
    }

    fn name(&self) -> &str {
        "FileNewerSensor"
    }

    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        _config: Option<&Value>,
    ) -> Result<Self::Inputs, ConnectorError> {
        let given = Given::new(self.name(), inputs, &["path", "since"])?;
        let since =
            time::parse(given.text("since")?).map_err(|reason| given.wrong("since", &reason))?;
        Ok((given.storage("path")?, since))
    }

    fn claims(&self, inputs: &Map<String, Value>) -> bool {
        inputs.get("path").and_then(Value::as_str).is_none_or(Place::is_served)
    }

    async fn poke(&self, (place, since): &Self::Inputs) -> Result<bool, ConnectorError> {
        let written = self.files.written(place).await?;
        Ok(written.is_some_and(|written| written > *since))
    }

    fn changed(&self, (place, _): &Self::Inputs) -> Option<BoxFuture<'static, ()>> {
        self.files.changed(place)
    }
}
