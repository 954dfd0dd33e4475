//! The codec of handles.

use std::hint::black_box;

use criterion::Criterion;
use flightdeck::wire::handle::Handle;

use crate::subjects::{self, PLAIN_META};

pub fn run(criterion: &mut Criterion) {
    let handle = subjects::handle();
    let bytes = handle.encode();
    let mut group = criterion.benchmark_group("handle");
    group.bench_function("encode", |bench| bench.iter(|| black_box(&handle).encode()));
    group.bench_function("decode", |bench| bench.iter(|| Handle::decode(black_box(&bytes))));
    group.bench_function("plain", |bench| bench.iter(|| Handle::decode(black_box(PLAIN_META))));
}
