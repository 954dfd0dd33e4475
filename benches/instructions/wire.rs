//! Handles, literals, templates and the look-up of a connector: no actor has a
//! part in them.

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{ConnectorRegistry, SyncConnector, TaskCategory, TaskRequest},
    connectors::webhook::WebhookConnector,
    wire::{
        flyteidl::core::LiteralMap,
        handle::Handle,
        literal::{from_json, map_to_dict, struct_to_dict},
    },
};
use futures::executor::block_on;
use gungraun::{library_benchmark, library_benchmark_group};
use prost_types::Struct;

use crate::subjects::{self, PLAIN_META, QUERY, Warehouse};

library_benchmark_group!(name = handle; benchmarks = encode, decode, plain);

#[library_benchmark]
#[bench::x100(subjects::handle())]
fn encode(handle: Handle) -> Handle {
    for _ in 0..100 {
        black_box(black_box(&handle).encode());
    }
    handle
}

#[library_benchmark]
#[bench::x100(handle_bytes())]
fn decode(bytes: Bytes) -> Bytes {
    for _ in 0..100 {
        black_box(Handle::decode(black_box(&bytes))).expect("a handle");
    }
    bytes
}

// A meta of flytekit's service.
#[library_benchmark]
#[bench::x100(PLAIN_META)]
fn plain(meta: &[u8]) {
    for _ in 0..100 {
        black_box(Handle::decode(black_box(meta))).expect("a plain meta");
    }
}

fn handle_bytes() -> Bytes {
    subjects::handle().encode().into()
}

library_benchmark_group!(name = literal; benchmarks = inputs_to_values, custom_to_values, json_to_literal);

#[library_benchmark]
#[bench::x100(inputs())]
fn inputs_to_values(requests: Vec<LiteralMap>) -> Vec<LiteralMap> {
    for inputs in &requests {
        black_box(map_to_dict(black_box(inputs))).expect("values");
    }
    requests
}

#[library_benchmark]
#[bench::x100(custom())]
fn custom_to_values(custom: Struct) -> Struct {
    for _ in 0..100 {
        black_box(struct_to_dict(black_box(&custom))).expect("values");
    }
    custom
}

// An object, which becomes msgpack.
#[library_benchmark]
#[bench::x100(subjects::reply())]
fn json_to_literal(reply: serde_json::Value) -> serde_json::Value {
    for _ in 0..100 {
        black_box(from_json(black_box(&reply)));
    }
    reply
}

/// Each with an order of its own, as hash maps have it.
fn inputs() -> Vec<LiteralMap> {
    (0..100).map(|_| subjects::webhook().inputs.expect("inputs")).collect()
}

fn custom() -> Struct {
    subjects::webhook().template.and_then(|template| template.custom).expect("a custom")
}

library_benchmark_group!(name = webhook; benchmarks = render);

// All that precedes the request, which is not sent.
#[library_benchmark]
#[bench::x100(unsendable())]
fn render((connector, tasks): Rendering) -> Rendering {
    for task in &tasks {
        black_box(block_on(connector.r#do(black_box(task)))).expect("a resource");
    }
    (connector, tasks)
}

type Rendering = (WebhookConnector, Vec<TaskRequest>);

fn unsendable() -> Rendering {
    let connector = WebhookConnector::new(&Config::default().webhook).expect("a connector");
    let task = || subjects::task_request(subjects::unsendable_webhook());
    (connector, (0..100).map(|_| task()).collect())
}

library_benchmark_group!(name = registry; benchmarks = get);

#[library_benchmark]
#[bench::x1000(connectors())]
fn get((connectors, category): Connectors) -> Connectors {
    for _ in 0..1000 {
        black_box(connectors.get(black_box(&category))).expect("a connector");
    }
    (connectors, category)
}

type Connectors = (Arc<ConnectorRegistry>, TaskCategory);

fn connectors() -> Connectors {
    (subjects::connectors(&Warehouse::default()), TaskCategory::from(QUERY))
}
