//! Under which keys a Create is remembered.

use prost::Message;
use sha2::{Digest, Sha256};

use super::index::{CreateKey, NodeKey};
use crate::{
    connector::IdempotencyKey,
    wire::flyteidl::{admin::TaskExecutionMetadata, core::TaskExecutionIdentifier},
};

/// The keys of one execution attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keys {
    /// Its id with the attempt, **and** the output prefix, since nodes of
    /// subworkflows repeat ids.
    pub(super) create: CreateKey,
    /// The same for every attempt of the node: the id without the attempt, and
    /// the prefix without its last segment, which is the attempt's.
    pub(super) node: NodeKey,
}

impl Keys {
    /// The keys of a request. Without an execution id or a prefix there are
    /// none, and every Create is its own task.
    pub(super) fn of(
        metadata: Option<&TaskExecutionMetadata>,
        output_prefix: &str,
    ) -> Option<Self> {
        let id = metadata?.task_execution_id.as_ref()?;
        let prefix = output_prefix.trim_end_matches('/');
        if prefix.is_empty() {
            return None;
        }
        let node_prefix = prefix.rsplit_once('/').map_or("", |(node, _)| node);
        let any_attempt = TaskExecutionIdentifier { retry_attempt: 0, ..id.clone() };
        Some(Self { create: hash(id, output_prefix), node: hash(&any_attempt, node_prefix) })
    }
}

/// The key that a connector is handed: the same for every repeat, and another
/// once a job of the key was deleted.
pub(super) fn idempotency_key(key: CreateKey, generation: u32) -> IdempotencyKey {
    if generation == 0 {
        return IdempotencyKey(key);
    }
    let mut hash = Sha256::new();
    hash.update(key);
    hash.update(generation.to_be_bytes());
    IdempotencyKey(first_half(hash))
}

fn hash(id: &TaskExecutionIdentifier, prefix: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    // Length-delimited, so that the id and the prefix cannot run into another.
    hash.update(id.encode_length_delimited_to_vec());
    hash.update(prefix);
    first_half(hash)
}

fn first_half(hash: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(attempt: u32) -> TaskExecutionMetadata {
        TaskExecutionMetadata {
            task_execution_id: Some(TaskExecutionIdentifier {
                retry_attempt: attempt,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn keys(attempt: u32, prefix: &str) -> Keys {
        Keys::of(Some(&metadata(attempt)), prefix).expect("keys")
    }

    #[test]
    fn the_key_is_the_attempt_with_the_prefix() {
        let key = keys(0, "s3://b/n0/0").create;
        assert_eq!(key, keys(0, "s3://b/n0/0").create);
        assert_ne!(key, keys(1, "s3://b/n0/0").create);
        assert_ne!(key, keys(0, "s3://b/n1-0-n0/0").create);
    }

    #[test]
    fn attempts_of_a_node_share_its_key() {
        let node = keys(0, "s3://b/f1/n0/data/0").node;
        assert_eq!(node, keys(1, "s3://b/f1/n0/data/1").node);
        assert_ne!(node, keys(1, "s3://b/f1/n1-0-n0/data/1").node);
    }

    #[test]
    fn without_an_id_or_a_prefix_there_are_none() {
        assert_eq!(Keys::of(None, "s3://b"), None);
        assert_eq!(Keys::of(Some(&TaskExecutionMetadata::default()), "s3://b"), None);
        assert_eq!(Keys::of(Some(&metadata(0)), ""), None);
    }

    #[test]
    fn after_a_delete_the_idempotency_key_is_another() {
        let key = keys(0, "s3://b/n0/0").create;
        assert_eq!(idempotency_key(key, 0), IdempotencyKey(key));
        assert_ne!(idempotency_key(key, 1), idempotency_key(key, 0));
        assert_ne!(idempotency_key(key, 1), idempotency_key(key, 2));
    }
}
