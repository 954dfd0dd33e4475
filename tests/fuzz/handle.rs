//! The handle's codec.

use std::time::{Duration, UNIX_EPOCH};

use bolero::check;
use flightdeck::wire::{ExecutionId, flightdeck::v1, handle::Handle};
use uuid::Uuid;

use crate::corpus::mutated;

/// The fields of an execution id.
type Execution = (String, String, String, String, u32);

/// Connector, trace context, meta, sync.
type Rest = (String, Vec<u8>, Vec<u8>, bool);

#[test]
fn bytes_corpus() {
    check!().for_each(|bytes: &[u8]| target(bytes));
}

#[test]
fn bytes_mutated() {
    check!().with_generator(mutated("handle::bytes_corpus")).for_each(|bytes| target(bytes));
}

#[test]
fn any_handle_comes_back_as_it_was() {
    check!()
        .with_type::<(u128, u64, Option<u64>, Option<Execution>, Option<[u8; 16]>, Rest)>()
        .for_each(|(id, created, deadline, execution, create_key, rest)| {
            let (connector, trace_context, meta, sync) = rest.clone();
            let handle = Handle {
                task_id: Uuid::from_u128(*id),
                created: UNIX_EPOCH + Duration::from_millis(*created),
                // 0 is how none is written.
                deadline: deadline.map(|ms| UNIX_EPOCH + Duration::from_millis(ms.max(1))),
                execution: execution.clone().map(|(project, domain, name, node, attempt)| {
                    ExecutionId::from(&v1::Execution { project, domain, name, node, attempt })
                }),
                create_key: *create_key,
                connector,
                trace_context: trace_context.into(),
                meta: meta.into(),
                sync,
            };
            assert_eq!(Handle::decode(&handle.encode()), Ok(Some(handle)));
        });
}

fn target(bytes: &[u8]) {
    let Ok(Some(handle)) = Handle::decode(bytes) else {
        return;
    };
    let encoded = handle.encode();
    assert!(encoded.len() <= bytes.len(), "what is read is no longer than what was there");
    assert_eq!(Handle::decode(&encoded), Ok(Some(handle)));
}
