//! What a connector needs to find a job again, and its bytes.

use serde::{Serialize, de::DeserializeOwned};

use crate::wire::python;

/// A connector's own record of one job, with a codec over raw bytes.
///
/// The bytes travel inside the handle that propeller keeps: they must be enough
/// to find the job from another process, small, and free of secrets (propeller
/// writes them to its log). Most connectors implement [`JsonMeta`] instead.
pub trait ResourceMeta: Sized + Send + Sync + 'static {
    /// The bytes of this meta: the same each time.
    fn encode(&self) -> Result<Vec<u8>, MetaError>;

    /// The meta of these bytes, which may be anything: a caller's mistake is an
    /// error that says what is wrong, and never a panic.
    fn decode(bytes: &[u8]) -> Result<Self, MetaError>;
}

/// A meta that is written as flytekit writes its dataclasses: JSON with
/// Python's separators, ASCII only. So either service can read the other's.
pub trait JsonMeta: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: JsonMeta> ResourceMeta for T {
    fn encode(&self) -> Result<Vec<u8>, MetaError> {
        python::to_json(self).map_err(|error| MetaError::new(error.to_string()))
    }

    fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        serde_json::from_slice(bytes).map_err(|error| MetaError::new(error.to_string()))
    }
}

/// Bytes that are not a meta of this connector, or a meta without bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MetaError(String);

impl MetaError {
    /// An error with what is wrong, in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
