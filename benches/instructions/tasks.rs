//! The supervisor, asked as the server's handlers ask it.
//!
//! One thread does everything and its clock is tokio's paused one, so that runs
//! differ by the seeds of hash maps alone.

use std::{hint::black_box, time::Duration};

use bytes::Bytes;
use flightdeck::{
    config::Config,
    connector::{AsyncConnector, ResourceMeta, TaskRequest},
    connectors::sensor::{SensorEngine, SensorMeta},
    supervisor::Tasks,
    wire::flyteidl::admin::CreateTaskRequest,
};
use gungraun::{library_benchmark, library_benchmark_group};
use tokio::{runtime::Runtime, time::sleep};

use crate::subjects::{self, Warehouse, about, of_execution};

/// Creates before the ones that are counted.
const WARM_UP: usize = 200;

library_benchmark_group!(name = task; benchmarks = get, create, delete, poll, execute);

// What is counted stands in functions of its own: callgrind would take a closure
// in one of these for the end of it.

#[library_benchmark]
#[bench::x1000(Bed::with_tasks())]
fn get(bed: Bed) -> Bed {
    bed.get(1000);
    bed
}

// With the actor, its first poll and the timer for the next.
#[library_benchmark]
#[bench::x200(Bed::with_requests())]
fn create((bed, requests): (Bed, Vec<CreateTaskRequest>)) -> Bed {
    bed.create(requests);
    bed
}

#[library_benchmark]
#[bench::x200(Bed::with_tasks())]
fn delete(bed: Bed) -> Bed {
    bed.delete();
    bed
}

// From timer to timer.
#[library_benchmark]
#[bench::x1000(Bed::settled())]
fn poll(bed: Bed) -> Bed {
    bed.poll(1000);
    bed
}

// ExecuteTaskSync.
#[library_benchmark]
#[bench::x200(Bed::with_executions())]
fn execute((bed, requests): (Bed, Vec<CreateTaskRequest>)) -> Bed {
    bed.execute(requests);
    bed
}

/// A supervisor with tasks that have been polled.
struct Bed {
    // Before the runtime, which its actors need to the end.
    tasks: Tasks,
    warehouse: Warehouse,
    handles: Vec<Bytes>,
    runtime: Runtime,
}

impl Bed {
    fn with_tasks() -> Self {
        let runtime = runtime();
        let warehouse = Warehouse::default();
        let (tasks, handles) = runtime.block_on(async {
            let tasks = subjects::tasks(&Config::default(), &warehouse).await;
            let mut handles = Vec::new();
            for number in 0..WARM_UP {
                let request = of_execution(&subjects::query(), number);
                handles.push(tasks.create(request).await.expect("a handle"));
            }
            warehouse.polled(WARM_UP).await;
            for handle in &handles {
                tasks.get(about(handle)).await.expect("a state");
            }
            let (header, inputs) = subjects::execute(subjects::webhook());
            tasks.execute(header, inputs).await.expect("a result");
            (tasks, handles)
        });
        Self { tasks, warehouse, handles, runtime }
    }

    fn with_requests() -> (Self, Vec<CreateTaskRequest>) {
        let request = subjects::query();
        let numbers = WARM_UP..WARM_UP + 200;
        (Self::with_tasks(), numbers.map(|number| of_execution(&request, number)).collect())
    }

    fn with_executions() -> (Self, Vec<CreateTaskRequest>) {
        let request = subjects::webhook();
        (Self::with_tasks(), (1..=200).map(|number| of_execution(&request, number)).collect())
    }

    /// After the quick first polls.
    fn settled() -> Self {
        let bed = Self::with_tasks();
        bed.runtime.block_on(async { sleep(Duration::from_secs(60)).await });
        bed
    }

    fn get(&self, times: usize) {
        self.runtime.block_on(async {
            for handle in self.handles.iter().cycle().take(times) {
                black_box(self.tasks.get(about(handle)).await).expect("a state");
            }
        });
    }

    fn create(&self, requests: Vec<CreateTaskRequest>) {
        self.runtime.block_on(async {
            let polls = self.warehouse.polls() + requests.len();
            for request in requests {
                black_box(self.tasks.create(request).await).expect("a handle");
            }
            self.warehouse.polled(polls).await;
        });
    }

    fn delete(&self) {
        self.runtime.block_on(async {
            for handle in &self.handles {
                black_box(self.tasks.delete(about(handle)).await).expect("a confirmation");
            }
        });
    }

    fn poll(&self, times: usize) {
        self.runtime.block_on(self.warehouse.polled(self.warehouse.polls() + times));
    }

    fn execute(&self, requests: Vec<CreateTaskRequest>) {
        self.runtime.block_on(async {
            for request in requests {
                let (header, inputs) = subjects::execute(request);
                black_box(self.tasks.execute(header, inputs).await).expect("a result");
            }
        });
    }
}

/// One thread whose clock stands while there is something to do, and else goes
/// on to the next timer.
pub fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime")
}

library_benchmark_group!(name = sensor; benchmarks = create_meta, poll_time);

// What a Create of a sensor asks of the connector.
#[library_benchmark]
#[bench::x100(Sensor::new())]
fn create_meta(sensor: Sensor) -> Sensor {
    sensor.create(100);
    sensor
}

// A sensor that asks nobody.
#[library_benchmark]
#[bench::x100(Sensor::new())]
fn poll_time(sensor: Sensor) -> Sensor {
    sensor.poll(100);
    sensor
}

/// The sensor connector with a task.
struct Sensor {
    engine: SensorEngine,
    task: TaskRequest,
    meta: SensorMeta,
    runtime: Runtime,
}

impl Sensor {
    fn new() -> Self {
        let runtime = runtime();
        let engine = SensorEngine::new(&Config::default());
        let task = subjects::task_request(subjects::sensor());
        let meta = SensorMeta::decode(
            br#"{"sensor_module": "flightdeck_sensors", "sensor_name": "TimeSensor",
                "inputs": {"until": "2126-11-21T06:00:00+00:00"}}"#,
        );
        let meta = meta.expect("a meta");
        Self { engine, task, meta, runtime }
    }

    fn create(&self, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                black_box(self.engine.create(black_box(&self.task)).await).expect("a meta");
            }
        });
    }

    fn poll(&self, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                black_box(self.engine.get(black_box(&self.meta)).await).expect("a phase");
            }
        });
    }
}
