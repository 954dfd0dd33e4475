//! FileSensors, and what their polls cost.

use std::{sync::Arc, time::Duration};

use flightdeck::{
    config::Config,
    connectors::builtin,
    supervisor::{Tasks, World},
    telemetry::Metrics,
    wire::{
        flyteidl::{
            admin::CreateTaskRequest,
            core::{LiteralMap, TaskTemplate},
        },
        literal,
    },
};
use prost_types::{Struct, Value, value::Kind};
use tokio::time::{Instant, sleep};

use super::{Lateness, Process, row};

/// Creates at once.
const AT_ONCE: usize = 64;

/// Sensors that were polled for a time.
pub struct Measured {
    pub creating: Duration,
    pub polls: Lateness,
    pub seconds: f64,
    /// Bytes for each sensor.
    pub memory: f64,
    /// Seconds of CPU in a second.
    pub cpu: f64,
}

/// Creates so many sensors, each on the path of its number, and has them polled.
pub async fn measure(
    config: &Config,
    count: usize,
    measured: Duration,
    path: fn(usize) -> String,
    from_now_on: impl AsyncFnOnce(),
) -> Measured {
    let connectors = Arc::new(builtin(config).expect("built-in connectors"));
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let tasks = Tasks::start(config, connectors, metrics.clone(), World::real()).await;
    let tasks = tasks.expect("a supervisor");

    // The first task pays for what all share.
    tasks.create(sensor(&path(count))).await.expect("a handle");
    let before = Process::now();
    let began = Instant::now();
    create(&tasks, count, path).await;
    let creating = began.elapsed();
    // The quick first polls come after 1, 2 and 4 s.
    sleep(Duration::from_secs(8).min(4 * measured)).await;

    from_now_on().await;
    let from = (Lateness::of(&metrics), Process::now(), Instant::now());
    sleep(measured).await;
    let polls = Lateness::of(&metrics) - from.0;
    let now = Process::now();
    let seconds = from.2.elapsed().as_secs_f64();
    assert_eq!(tasks.len(), count + 1, "every task is live");
    Measured {
        creating,
        polls,
        seconds,
        memory: (now.resident - before.resident) / count as f64,
        cpu: (now.cpu - from.1.cpu).as_secs_f64() / seconds,
    }
}

impl Measured {
    /// Prints the table, with the targets that there are.
    pub fn print(&self, count: usize) {
        println!("{count} sensors, created in {:.1} s", self.creating.as_secs_f64());
        println!("{} polls in {:.0} s", self.polls.count(), self.seconds);
        println!("{:<32} {:>10} {:>10}  met", "figure", "measured", "target");
        // 8 GiB for a million tasks.
        let most = 8.0 * 1024.0 * 1.024 * 1.024 / 1000.0;
        row("memory for each task, KiB", self.memory / 1024.0, Some(most));
        row("lateness of a poll, p50, ms", self.polls.quantile(0.5) * 1e3, None);
        row("lateness of a poll, p99, ms", self.polls.quantile(0.99) * 1e3, Some(250.0));
        row("lateness of a poll, at most, ms", self.polls.quantile(1.0) * 1e3, None);
        row("CPU, cores", self.cpu, None);
        let polls = self.polls.count() as f64;
        row("CPU for a poll, us", self.cpu * 1e6 * self.seconds / polls, None);
    }
}

async fn create(tasks: &Tasks, count: usize, path: fn(usize) -> String) {
    let creators = (0..AT_ONCE).map(|first| {
        let tasks = tasks.clone();
        tokio::spawn(async move {
            for number in (first..count).step_by(AT_ONCE) {
                tasks.create(sensor(&path(number))).await.expect("a handle");
            }
        })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.expect("no panic");
    }
}

/// The Create of a sensor.
fn sensor(path: &str) -> CreateTaskRequest {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let custom = Struct {
        fields: [
            ("sensor_module".to_owned(), text("flytekit.sensor.file_sensor")),
            ("sensor_name".to_owned(), text("FileSensor")),
        ]
        .into(),
    };
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: "sensor".to_owned(),
            custom: Some(custom),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap { literals: [("path".to_owned(), literal::string(path))].into() }),
        output_prefix: "s3://flyte/n0/0".to_owned(),
        ..CreateTaskRequest::default()
    }
}
