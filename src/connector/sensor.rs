//! Conditions that are waited for.

use std::future::Future;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::ConnectorError;

/// A condition that the sensor connector pokes until it holds.
///
/// A task names its sensor by the module **and** the class of the Python task
/// that declared it: two modules may each have a `FileSensor`.
pub trait Sensor: Send + Sync + 'static {
    /// What one task waits for, checked once at Create.
    type Inputs: Send + Sync + 'static;

    /// The Python module of the sensor's class.
    fn module(&self) -> &str;

    /// The name of the sensor's class.
    fn name(&self) -> &str;

    /// Reads a task's inputs and `sensor_config`. An error refuses the Create
    /// with its message; a name or a type that is wrong belongs here, since
    /// nobody looks at a sensor that never comes true.
    fn inputs(
        &self,
        inputs: &Map<String, Value>,
        config: Option<&Value>,
    ) -> Result<Self::Inputs, ConnectorError>;

    /// True for what it can look at. What it leaves goes to an upstream that
    /// has sensors, where there is one: a path on a storage that only Python
    /// reaches. Inputs that are wrong in themselves are its own to refuse.
    fn claims(&self, _inputs: &Map<String, Value>) -> bool {
        true
    }

    /// True as soon as the condition holds: the task has SUCCEEDED.
    fn poke(
        &self,
        inputs: &Self::Inputs,
    ) -> impl Future<Output = Result<bool, ConnectorError>> + Send;

    /// A future that completes when the next poke may well find the condition
    /// true, or `None` if nobody can tell: then only the interval decides.
    /// See [`AsyncConnector::changed`](super::AsyncConnector::changed).
    fn changed(&self, _inputs: &Self::Inputs) -> Option<BoxFuture<'static, ()>> {
        None
    }
}
