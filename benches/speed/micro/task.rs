//! The supervisor: what it answers itself, and what an actor does.

use std::{
    cell::Cell,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::Criterion;
use flightdeck::{config::Config, supervisor::Tasks};
use tokio::runtime::Runtime;

use crate::subjects::{self, Warehouse, about, of_execution};

pub fn run(criterion: &mut Criterion) {
    let bed = Bed::new();
    let mut group = criterion.benchmark_group("task");
    group.bench_function("get", |bench| bench.iter_custom(|times| bed.get(times)));
    // The actor that is spawned, and the message that tells it to begin.
    group.bench_function("create", |bench| bench.iter_custom(|times| bed.live(times).0));
    // A message there, a call of the connector, and its outcome back.
    group.bench_function("delete", |bench| bench.iter_custom(|times| bed.live(times).1));
    group.bench_function("execute", |bench| bench.iter_custom(|times| bed.execute(times)));
}

struct Bed {
    tasks: Tasks,
    runtime: Runtime,
    /// Executions that have had a task.
    executions: Cell<usize>,
}

impl Bed {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime");
        // Tasks leave as soon as they are over.
        let mut config = Config::default();
        config.tasks.retention = Duration::ZERO;
        let tasks = runtime.block_on(subjects::tasks(&config, &Warehouse::default()));
        Self { tasks, runtime, executions: Cell::new(0) }
    }

    /// Gets of a task that was polled.
    fn get(&self, times: u64) -> Duration {
        self.runtime.block_on(async {
            let [handle] = &self.create(1).await.1[..] else { unreachable!("one task") };
            self.tasks.get(about(handle)).await.expect("a state");
            let began = Instant::now();
            for _ in 0..times {
                black_box(self.tasks.get(about(handle)).await).expect("a state");
            }
            let took = began.elapsed();
            self.tasks.delete(about(handle)).await.expect("a confirmation");
            took
        })
    }

    /// The Creates of so many tasks, and then their Deletes.
    fn live(&self, times: u64) -> (Duration, Duration) {
        self.runtime.block_on(async {
            let (creating, handles) = self.create(times).await;
            let began = Instant::now();
            for handle in &handles {
                self.tasks.delete(about(handle)).await.expect("a confirmation");
            }
            (creating, began.elapsed())
        })
    }

    async fn create(&self, times: u64) -> (Duration, Vec<Bytes>) {
        let request = subjects::query();
        let requests: Vec<_> = (0..times).map(|_| of_execution(&request, self.next())).collect();
        let mut handles = Vec::with_capacity(requests.len());
        let began = Instant::now();
        for request in requests {
            handles.push(self.tasks.create(request).await.expect("a handle"));
        }
        (began.elapsed(), handles)
    }

    /// ExecuteTaskSyncs, one after another.
    fn execute(&self, times: u64) -> Duration {
        let request = subjects::webhook();
        let requests = (0..times).map(|_| of_execution(&request, self.next()));
        let requests: Vec<_> = requests.map(subjects::execute).collect();
        self.runtime.block_on(async {
            let began = Instant::now();
            for (header, inputs) in requests {
                black_box(self.tasks.execute(header, inputs).await).expect("a result");
            }
            began.elapsed()
        })
    }

    fn next(&self) -> usize {
        self.executions.replace(self.executions.get() + 1)
    }
}
