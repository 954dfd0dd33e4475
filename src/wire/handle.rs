//! The codec of the handle: the bytes that callers keep as `resource_meta`.
//!
//! A handle is a magic prefix and a protobuf message ([`v1::Handle`]) that
//! carries the connector's own meta and what is needed to rebuild the task in
//! another process. Bytes without the prefix are the plain meta of flytekit's
//! connector of the same category.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::{ExecutionId, flightdeck::v1};

/// The first bytes of every handle. 0xFD never occurs in UTF-8, so no JSON and
/// no text begins like this.
const MAGIC: &[u8] = b"\xfdFD";

/// The version of the format that this code writes and reads.
const VERSION: u32 = 1;

/// The longest handle that is read. The largest message is 4 MiB; a meta is
/// some hundred bytes.
pub const MAX_LEN: usize = 1 << 20;

/// What a handle carries, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle {
    /// The task's id, a UUIDv7.
    pub task_id: Uuid,
    /// When the task was created.
    pub created: SystemTime,
    /// When the task times out, if timeouts are enforced for it.
    pub deadline: Option<SystemTime>,
    /// The execution that the task belongs to, if the caller named one.
    pub execution: Option<ExecutionId>,
    /// A hash of the Create's key; adoption registers it again, so that a
    /// repeated Create gets the same handle.
    pub create_key: Option<[u8; 16]>,
    /// The connector that made the meta.
    pub connector: String,
    /// Trace id, span id and flags of the task's root span, as they came.
    pub trace_context: Bytes,
    /// The connector's own meta.
    pub meta: Bytes,
    /// The connector answers with the result, which no handle carries.
    pub sync: bool,
}

/// Bytes with the magic prefix that are no handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// The bytes are those of a larger thing.
    #[error("it has {0} bytes, more than the {MAX_LEN} of the largest handle")]
    TooLong(usize),
    /// The message after the prefix is damaged.
    #[error("it begins like a Flightdeck handle but is damaged: {0}")]
    Damaged(String),
    /// A newer Flightdeck wrote it.
    #[error(
        "it is a Flightdeck handle of version {0}, and this Flightdeck reads version {VERSION}"
    )]
    Version(u32),
}

impl Handle {
    /// The bytes of this handle.
    pub fn encode(&self) -> Vec<u8> {
        let message = v1::Handle {
            version: VERSION,
            task_id: self.task_id.as_bytes().to_vec(),
            created_at_ms: to_millis(self.created),
            deadline_ms: self.deadline.map_or(0, to_millis),
            execution: self.execution.as_ref().map(v1::Execution::from),
            create_key: self.create_key.map(Vec::from).unwrap_or_default(),
            connector: self.connector.clone(),
            trace_context: self.trace_context.to_vec(),
            meta: self.meta.to_vec(),
            sync: self.sync,
        };
        [MAGIC, &message.encode_to_vec()].concat()
    }

    /// The handle of these bytes, or `None` if they do not begin like one.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, HandleError> {
        if bytes.len() > MAX_LEN {
            return Err(HandleError::TooLong(bytes.len()));
        }
        let Some(body) = bytes.strip_prefix(MAGIC) else {
            return Ok(None);
        };
        let message =
            v1::Handle::decode(body).map_err(|error| HandleError::Damaged(error.to_string()))?;
        if message.version != VERSION {
            return Err(HandleError::Version(message.version));
        }
        Ok(Some(Self {
            task_id: Uuid::from_slice(&message.task_id)
                .map_err(|error| HandleError::Damaged(format!("its task id: {error}")))?,
            created: from_millis(message.created_at_ms)?,
            deadline: match message.deadline_ms {
                0 => None,
                millis => Some(from_millis(millis)?),
            },
            execution: message.execution.as_ref().map(ExecutionId::from),
            create_key: match message.create_key.len() {
                0 => None,
                _ => Some(message.create_key.as_slice().try_into().map_err(|_| {
                    HandleError::Damaged(format!(
                        "its create key has {} bytes instead of 16",
                        message.create_key.len()
                    ))
                })?),
            },
            connector: message.connector,
            trace_context: message.trace_context.into(),
            meta: message.meta.into(),
            sync: message.sync,
        }))
    }
}

/// Times before 1970 and beyond 2^64 ms do not occur in a handle.
fn to_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn from_millis(millis: u64) -> Result<SystemTime, HandleError> {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(millis))
        .ok_or_else(|| HandleError::Damaged(format!("its time {millis} ms is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle {
            task_id: Uuid::from_u128(7),
            created: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
            deadline: Some(UNIX_EPOCH + Duration::from_millis(1_790_000_060_000)),
            execution: Some(ExecutionId::from(&v1::Execution {
                project: "flytesnacks".into(),
                domain: "development".into(),
                name: "f1a2b3c4d5e6f7".into(),
                node: "n0".into(),
                attempt: 2,
            })),
            create_key: Some([9; 16]),
            connector: "Sensor".into(),
            trace_context: Bytes::from_static(&[3; 25]),
            meta: Bytes::from_static(br#"{"path": "/tmp/ready"}"#),
            sync: false,
        }
    }

    #[test]
    fn a_handle_comes_back_as_it_was() {
        let handle = handle();
        assert_eq!(Handle::decode(&handle.encode()), Ok(Some(handle)));
    }

    #[test]
    fn a_handle_is_its_meta_its_ids_and_at_most_128_bytes() {
        let handle = handle();
        let execution = handle.execution.clone().unwrap_or_default();
        let ids = execution.project().len()
            + execution.domain().len()
            + execution.name().len()
            + execution.node().len();
        let more = handle.encode().len() - handle.meta.len() - ids;
        assert!(more <= 128, "{more} bytes");
    }

    #[test]
    fn bytes_without_the_prefix_are_a_plain_meta() {
        for plain in [&b""[..], b"{}", b"\xfd", b"\xff\xff\xff\xff"] {
            assert_eq!(Handle::decode(plain), Ok(None));
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_that_says_so() {
        let whole = handle().encode();
        let truncated = Handle::decode(&whole[..whole.len() - 9]);
        assert!(matches!(truncated, Err(HandleError::Damaged(_))), "{truncated:?}");
        let empty = Handle::decode(MAGIC);
        assert_eq!(empty, Err(HandleError::Version(0)));
        let long = vec![0; MAX_LEN + 1];
        assert_eq!(Handle::decode(&long), Err(HandleError::TooLong(MAX_LEN + 1)));
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        let newer = v1::Handle { version: 2, ..Default::default() };
        let bytes = [MAGIC, &newer.encode_to_vec()].concat();
        assert_eq!(Handle::decode(&bytes), Err(HandleError::Version(2)));
    }
}
