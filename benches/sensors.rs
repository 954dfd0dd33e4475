//! What a hundred thousand live sensors cost: memory for each, and how late
//! their polls begin.
//!
//! `cargo bench --bench sensors [-- TASKS [SECONDS]]` creates FileSensor tasks
//! for files that are not there, lets them be polled every ten seconds, and
//! prints what was measured meanwhile beside the targets.

mod common;

use std::{sync::Arc, time::Duration};

use common::{Args, Lateness, Process, row};
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

const TASKS: usize = 100_000;

/// How long polls are measured, after the quick first ones.
const SECONDS: usize = 30;

/// Creates at once.
const AT_ONCE: usize = 64;

fn main() {
    let args = Args::parse(&[(TASKS, 1_000), (SECONDS, 2)]);
    let (count, seconds) = (args.number(0), args.number(1));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(run(count, Duration::from_secs(seconds as u64)));
}

async fn run(count: usize, measured: Duration) {
    let config = Config::default();
    let connectors = Arc::new(builtin(&config).expect("built-in connectors"));
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let tasks = Tasks::start(&config, connectors, metrics.clone(), World::real()).await;
    let tasks = tasks.expect("a supervisor");

    // The first task pays for what all share.
    tasks.create(sensor(count)).await.expect("a handle");
    let before = Process::now();
    let began = Instant::now();
    create(&tasks, count).await;
    let creating = began.elapsed();
    // The quick first polls come after 1, 2 and 4 s.
    sleep(Duration::from_secs(8).min(4 * measured)).await;

    let from = (Lateness::of(&metrics), Process::now(), Instant::now());
    sleep(measured).await;
    let polls = Lateness::of(&metrics) - from.0;
    let now = Process::now();
    let cpu = (now.cpu - from.1.cpu).as_secs_f64() / from.2.elapsed().as_secs_f64();
    assert_eq!(tasks.len(), count + 1, "every task is live");

    let each = (now.resident - before.resident) / count as f64;
    println!("{count} sensors, created in {:.1} s", creating.as_secs_f64());
    println!("{} polls in {:.0} s", polls.count(), measured.as_secs_f64());
    println!("{:<32} {:>10} {:>10}  met", "figure", "measured", "target");
    // 8 GiB for a million tasks.
    row("memory for each task, KiB", each / 1024.0, Some(8.0 * 1024.0 * 1.024 * 1.024 / 1000.0));
    row("lateness of a poll, p50, ms", polls.quantile(0.5) * 1e3, None);
    row("lateness of a poll, p99, ms", polls.quantile(0.99) * 1e3, Some(250.0));
    row("lateness of a poll, at most, ms", polls.quantile(1.0) * 1e3, None);
    row("CPU, cores", cpu, None);
    row("CPU for a poll, us", cpu * 1e6 * measured.as_secs_f64() / polls.count() as f64, None);
}

async fn create(tasks: &Tasks, count: usize) {
    let creators = (0..AT_ONCE).map(|first| {
        let tasks = tasks.clone();
        tokio::spawn(async move {
            for number in (first..count).step_by(AT_ONCE) {
                tasks.create(sensor(number)).await.expect("a handle");
            }
        })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.expect("no panic");
    }
}

/// The Create of a sensor for a file that is not there.
fn sensor(number: usize) -> CreateTaskRequest {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let custom = Struct {
        fields: [
            ("sensor_module".to_owned(), text("flytekit.sensor.file_sensor")),
            ("sensor_name".to_owned(), text("FileSensor")),
        ]
        .into(),
    };
    let path = literal::string(format!("/nowhere/flightdeck/{number}"));
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: "sensor".to_owned(),
            custom: Some(custom),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap { literals: [("path".to_owned(), path)].into() }),
        output_prefix: format!("s3://flyte/n{number}/0"),
        ..CreateTaskRequest::default()
    }
}
