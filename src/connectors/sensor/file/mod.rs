//! `FileSensor`: waits until a file, a directory or an object is there.

mod local;
mod looks;
mod place;
mod watch;

use std::time::SystemTime;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::store::{Found, Stores, Web};
use crate::connector::{ConnectorError, Sensor};
use looks::Looks;
pub(super) use place::Place;
use watch::Watch;

/// The input that names the path.
const PATH: &str = "path";

/// Looks at files, objects and pages, wherever they are.
#[derive(Clone)]
pub(super) struct Files {
    stores: Stores,
    web: Web,
    looks: Looks,
    watch: Option<Watch>,
}

impl Files {
    /// With `watch`, local files are noticed as they appear.
    pub(super) fn new(stores: Stores, web: Web, watch: bool) -> Self {
        Self { stores, web, looks: Looks::new(local::look), watch: watch.then(Watch::default) }
    }

    /// Completes when something happens at the place, where that can be told.
    pub(super) fn changed(&self, place: &Place) -> Option<BoxFuture<'static, ()>> {
        match (place, &self.watch) {
            (Place::Local(path), Some(watch)) => Some(watch.changed(path)),
            _ => None,
        }
    }

    /// True if there is anything. As for fsspec any page but an error is, and
    /// a page that is forbidden is not: public buckets say so of what is not
    /// there yet.
    async fn exists(&self, place: &Place) -> Result<bool, ConnectorError> {
        match place {
            Place::Local(path) => Ok(self.looks.look(path).await?.is_some()),
            Place::Object(place) => Ok(self.stores.look(place).await? != Found::Nothing),
            Place::Web(url) => Ok(self.web.get(url, false).await?.status.as_u16() < 400),
        }
    }

    /// When the file or the object was written, if there is one.
    pub(super) async fn written(
        &self,
        place: &Place,
    ) -> Result<Option<SystemTime>, ConnectorError> {
        match place {
            Place::Local(path) => Ok(self.looks.look(path).await?.flatten()),
            Place::Object(place) => Ok(match self.stores.look(place).await? {
                Found::Object(written) => Some(written),
                Found::Nothing | Found::Folder => None,
            }),
            Place::Web(_) => Err(no_folder(place)),
        }
    }

    /// How many files or objects are below the place, as far as `enough`; one
    /// if it is itself a file or an object.
    pub(super) async fn count(
        &self,
        place: &Place,
        enough: usize,
    ) -> Result<usize, ConnectorError> {
        match place {
            Place::Local(path) => local::count(path.clone(), enough).await,
            Place::Object(object) => match self.stores.count(object, enough).await? {
                0 if self.written(place).await?.is_some() => Ok(1),
                count => Ok(count),
            },
            Place::Web(_) => Err(no_folder(place)),
        }
    }
}

fn no_folder(place: &Place) -> ConnectorError {
    ConnectorError::permanent(format!("{} is on a web server, not in a storage", place.shown()))
}

/// flytekit's `FileSensor`, on local paths, `file://`, `s3://`, `gs://`,
/// `abfs://`, `abfss://`, `az://`, `http://` and `https://`, all of them read
/// as fsspec reads them.
pub(super) struct FileSensor {
    module: &'static str,
    files: Files,
}

impl FileSensor {
    /// The sensor under the module that declares its class.
    pub(super) fn new(files: Files) -> Self {
        Self { module: "flytekit.sensor.file_sensor", files }
    }

    /// The sensor under the package that flytekit exports it from as well.
    pub(super) fn reexported(files: Files) -> Self {
        Self { module: "flytekit.sensor", files }
    }
}

impl Sensor for FileSensor {
    type Inputs = Place;

    fn module(&self) -> &str {
        self.module
    }

    fn name(&self) -> &str {
        "FileSensor"
    }

    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        _config: Option<&Value>,
    ) -> Result<Place, ConnectorError> {
        if let Some(other) = inputs.keys().find(|key| *key != PATH) {
            return Err(ConnectorError::invalid(format!(
                "FileSensor has no input {other:?}; it has one, path"
            )));
        }
        match inputs.get(PATH) {
            Some(Value::String(path)) => Place::parse("FileSensor", path),
            Some(other) => Err(ConnectorError::invalid(format!(
                "FileSensor's input path must be a string, and is {other}"
            ))),
            None => Err(ConnectorError::invalid(
                "FileSensor's input path is missing: it names the file to wait for",
            )),
        }
    }

    /// Leaves paths of storages that only Python reaches.
    fn claims(&self, inputs: &Map<String, Value>) -> bool {
        inputs.get(PATH).and_then(Value::as_str).is_none_or(Place::is_served)
    }

    async fn poke(&self, place: &Place) -> Result<bool, ConnectorError> {
        self.files.exists(place).await
    }

    fn changed(&self, place: &Place) -> Option<BoxFuture<'static, ()>> {
        self.files.changed(place)
    }
}
