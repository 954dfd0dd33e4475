//! What it costs, and brings, to put Flightdeck in front of Python sensors.

use std::time::{Duration, Instant};

use bytes::Bytes;
use flightdeck::wire::{
    flyteidl::{
        admin::CreateTaskRequest,
        core::{
            LiteralMap, LiteralType, SimpleType, TaskTemplate, TypedInterface, Variable,
            VariableMap, literal_type,
        },
    },
    literal,
};
use tokio::time::sleep;

use crate::{
    Settings,
    cost::{Cost, SIXTEEN},
    lateness::Lateness,
    load::{Creates, Gets, Until, closed},
    messages,
    report::Report,
    runtime,
    scrape::total,
    service::{Service, pyflyte},
};

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(3);
/// Sensors that are polled.
const SENSORS: usize = 2_500;
/// Sensors that are asked about.
const ASKED: usize = 100;
/// The polls of sensors, in the service's own metrics.
const POLLS: &str = "flightdeck_polls_total{task_type=\"sensor\"}";
/// The quick first polls are over by then, and a backlog has built up if it will.
const WARM: Duration = Duration::from_secs(5);

pub fn run(settings: &Settings, report: &mut Report) {
    if pyflyte().is_none() {
        return report.absent("Python sensors", "no pyflyte on PATH");
    }
    runtime().block_on(async {
        gets(settings, report).await;
        for workers in [1, 2] {
            polls(workers, settings, report).await;
        }
    });
}

/// Flightdeck in front of so many workers, which have sensors that wait for ever.
async fn flightdeck(workers: usize) -> Service {
    let service = Service::flightdeck(&format!(
        "[polling]\ninterval = \"1s\"\nfirst = []\n[[upstream]]\nname = \"python\"\n\
         workers = {workers}\ncommand = [\"pyflyte\", \"serve\", \"connector\", \"--port\", \
         \"{{port}}\", \"--prometheus_port\", \"{{metrics_port}}\", \"--modules\", \"never\"]\n"
    ));
    service.listing().await;
    service
}

/// Creates so many Python sensors.
async fn sensors(service: &Service, count: usize) -> Vec<Bytes> {
    let creates = Creates::new(never);
    closed(service, &creates, 1, 4, Until::Count(count)).await;
    creates.take()
}

/// Gets of flytekit's service and of Flightdeck, in turn.
async fn gets(settings: &Settings, report: &mut Report) {
    let Some(flytekit) = Service::flytekit().await else {
        return report.absent("Gets of Python sensors", "no pyflyte on PATH");
    };
    let services = [("flytekit", flytekit), ("Flightdeck", flightdeck(1).await)];
    let until = Until::Passed(settings.time(TIME));
    let mut rounds = [const { (Vec::new(), Vec::new()) }; 2];
    let mut asked = Vec::new();
    for (_, service) in &services {
        asked.push(Gets::of(&sensors(service, ASKED).await));
    }
    for _ in 0..settings.rounds() {
        for (((_, service), gets), rounds) in services.iter().zip(&asked).zip(&mut rounds) {
            let cost = Cost::of(service, gets, SIXTEEN, until, Duration::ZERO).await;
            rounds.0.push(cost.rate());
            rounds.1.push(cost.cpu());
        }
    }
    for ((name, _), (rates, cpu)) in services.iter().zip(rounds) {
        report.median(format!("Gets of Python sensors, {name}"), "calls/s", rates);
        report.median(format!("Gets of Python sensors, CPU of {name}"), "us", cpu);
    }
}

/// Polls of sensors by so many workers.
async fn polls(workers: usize, settings: &Settings, report: &mut Report) {
    let service = flightdeck(workers).await;
    let count = settings.count(SENSORS, 100);
    let time = settings.time(TIME);
    sensors(&service, count).await;
    sleep(WARM.min(4 * time)).await;
    let before = (service.scrape().await, service.usage(), Instant::now());
    sleep(time).await;
    let after = service.scrape().await;
    let passed = before.2.elapsed().as_secs_f64();
    let cpu = (service.usage() - before.1).cpu.as_secs_f64();
    let lateness = Lateness::read(&after) - Lateness::read(&before.0);
    let polls = total(&after, POLLS) - total(&before.0, POLLS);
    let name = format!("{count} Python sensors every second, workers: {workers}");
    report.figure(&name, "polls/s", polls / passed);
    report.figure(format!("{name}: lateness of a poll, p50"), "ms", lateness.quantile(0.5) * 1e3);
    report.figure(format!("{name}: lateness of a poll, p99"), "ms", lateness.quantile(0.99) * 1e3);
    report.figure(format!("{name}: Flightdeck's CPU for a poll"), "us", cpu * 1e6 / polls);
}

/// The Create of a `Never`.
fn never(n: usize) -> CreateTaskRequest {
    let custom = [("sensor_module", "never"), ("sensor_name", "Never")];
    let integer = literal_type::Type::Simple(SimpleType::Integer.into());
    let variable = Variable {
        r#type: Some(LiteralType { r#type: Some(integer), ..LiteralType::default() }),
        ..Variable::default()
    };
    let inputs = VariableMap { variables: [("n".to_owned(), variable)].into() };
    let n = i64::try_from(n).expect("a small number");
    CreateTaskRequest {
        template: Some(TaskTemplate {
            r#type: messages::SENSOR.to_owned(),
            custom: Some(messages::text_fields(custom)),
            interface: Some(TypedInterface { inputs: Some(inputs), outputs: None }),
            ..TaskTemplate::default()
        }),
        inputs: Some(LiteralMap { literals: [("n".to_owned(), literal::integer(n))].into() }),
        ..CreateTaskRequest::default()
    }
}
