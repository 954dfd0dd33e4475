//! The webhook's template: filled in, and made a request of, which is not sent.

use bolero::check;
use flightdeck::{
    config,
    connector::{IdempotencyKey, Phase, SyncConnector, TaskRequest},
    connectors::webhook::WebhookConnector,
    wire::flyteidl::admin::CreateTaskRequest,
};
use futures::FutureExt;
use prost::Message;
use prost_types::{Value, value::Kind};

use crate::corpus::mutated;

/// The last thing that is read of a template; like this it is refused.
const NEVER: (&str, &str) = ("timeout_sec", "never");

#[test]
fn fill_in_corpus() {
    check!().for_each(|bytes: &[u8]| target(bytes));
}

#[test]
fn fill_in_mutated() {
    check!().with_generator(mutated("template::fill_in_corpus")).for_each(|bytes| target(bytes));
}

fn target(bytes: &[u8]) {
    let Ok(request) = CreateTaskRequest::decode(bytes) else {
        return;
    };
    let mut template = request.template.unwrap_or_default();
    let never = Value { kind: Some(Kind::StringValue(NEVER.1.to_owned())) };
    template.custom.get_or_insert_default().fields.insert(NEVER.0.to_owned(), never);
    let task = TaskRequest {
        template,
        inputs: request.inputs,
        output_prefix: request.output_prefix,
        max_dataset_size_bytes: 0,
        metadata: request.task_execution_metadata,
        idempotency_key: IdempotencyKey([0; 16]),
    };
    let connector = WebhookConnector::new(&config::Webhook::default()).expect("a user agent");
    let done = connector.r#do(&task).now_or_never().expect("nothing is sent or waited for");
    let resource = done.expect("a failure is a state");
    assert_eq!(resource.phase, Phase::Failed);
    assert!(resource.message.is_some_and(|message| !message.is_empty()), "it says why");
}
