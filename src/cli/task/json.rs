//! Protobuf's JSON mapping, by the descriptors of the wire.

use std::sync::LazyLock;

use anyhow::Context;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

use crate::wire::FILE_DESCRIPTOR_SET;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("build.rs has written these descriptors")
});

/// The full names of the messages that are read or written as JSON.
pub(super) mod names {
    pub(in super::super) const CREATE_REQUEST: &str = "flyteidl.admin.CreateTaskRequest";
    pub(in super::super) const LITERAL: &str = "flyteidl.core.Literal";
    pub(in super::super) const LOG_LINE: &str = "flyteidl.admin.LogLine";
    pub(in super::super) const METRIC: &str = "flyteidl.core.ExecutionMetricResult";
    pub(in super::super) const RESOURCE: &str = "flyteidl.admin.Resource";
    pub(in super::super) const STATUS: &str = "flightdeck.v1.GetStatusResponse";
    pub(in super::super) const STRUCT: &str = "google.protobuf.Struct";
    pub(in super::super) const TASK: &str = "flightdeck.v1.Task";
    pub(in super::super) const TEMPLATE: &str = "flyteidl.core.TaskTemplate";
}

/// The JSON of a message, on one line.
pub(super) fn text(name: &str, message: &impl Message) -> anyhow::Result<String> {
    let bytes = message.encode_to_vec();
    let message = DynamicMessage::decode(description(name)?, bytes.as_slice())?;
    serde_json::to_string(&message).with_context(|| format!("a {name} has no JSON"))
}

/// The message that JSON describes. A field that it does not have is an error.
pub(super) fn message<M: Message + Default>(name: &str, json: Value) -> anyhow::Result<M> {
    Ok(DynamicMessage::deserialize(description(name)?, json)?.transcode_to()?)
}

/// The message of these bytes, if they have no field that it does not have.
pub(super) fn strict<M: Message + Default>(name: &str, bytes: &[u8]) -> Option<M> {
    let message = DynamicMessage::decode(description(name).ok()?, bytes).ok()?;
    match message.unknown_fields().next() {
        None => message.transcode_to().ok(),
        Some(_) => None,
    }
}

fn description(name: &str) -> anyhow::Result<MessageDescriptor> {
    POOL.get_message_by_name(name).with_context(|| format!("the wire has no message {name}"))
}
