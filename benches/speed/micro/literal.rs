//! Literals from and into plain values, and the templates that they fill in.

use std::hint::black_box;

use criterion::Criterion;
use flightdeck::{
    config::Config,
    connector::SyncConnector,
    connectors::webhook::WebhookConnector,
    wire::literal::{from_json, map_to_dict, struct_to_dict},
};
use futures::executor::block_on;

use crate::subjects;

pub fn run(criterion: &mut Criterion) {
    let task = subjects::task_request(subjects::webhook());
    let inputs = task.inputs.expect("inputs");
    let custom = task.template.custom.expect("a custom");
    let reply = subjects::reply();
    let mut group = criterion.benchmark_group("literal");
    group.bench_function("inputs_to_values", |bench| {
        bench.iter(|| map_to_dict(black_box(&inputs)));
    });
    group.bench_function("custom_to_values", |bench| {
        bench.iter(|| struct_to_dict(black_box(&custom)));
    });
    group.bench_function("json_to_literal", |bench| bench.iter(|| from_json(black_box(&reply))));
    drop(group);

    let connector = WebhookConnector::new(&Config::default().webhook).expect("a connector");
    let unsendable = subjects::task_request(subjects::unsendable_webhook());
    let mut group = criterion.benchmark_group("webhook");
    // All that precedes the request, which is not sent.
    group.bench_function("render", |bench| {
        bench.iter(|| block_on(connector.r#do(black_box(&unsendable))));
    });
}
