//! Who serves a task type, and where a request is counted.

use std::{hint::black_box, time::Duration};

use criterion::Criterion;
use flightdeck::{
    connector::TaskCategory,
    telemetry::{Method, Metrics},
};
use tonic::Code;

use crate::subjects::{self, QUERY, Warehouse};

pub fn run(criterion: &mut Criterion) {
    let connectors = subjects::connectors(&Warehouse::default());
    let category = TaskCategory::from(QUERY);
    let mut group = criterion.benchmark_group("registry");
    group.bench_function("get", |bench| bench.iter(|| connectors.get(black_box(&category))));
    drop(group);

    let metrics = Metrics::new().expect("metrics");
    let mut group = criterion.benchmark_group("metrics");
    group.bench_function("rpc", |bench| {
        bench.iter(|| {
            let method = Method::of(black_box("/flyteidl.service.AsyncAgentService/GetTask"));
            metrics.rpc_took(method, Code::Ok, black_box(Duration::from_micros(90)));
        });
    });
}
