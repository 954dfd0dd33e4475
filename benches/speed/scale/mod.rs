//! What tasks cost the more there are: from a thousand to a hundred thousand
//! live sensors, or a million, with a restart in the middle.
//!
//! A first service has them created, deleted and created again. It polls each
//! only once, so that a Create is not charged for polls of those before it. It
//! is stopped, and a second one, which polls them on and on, adopts them all.

mod plot;

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use crate::{
    Settings,
    cost::{Cost, POLLED_ONCE, SIXTEEN, waiting},
    load::{Closed, Deletes, Gets, Timed, Until, closed},
    report::Report,
    runtime, scrape,
    sensors::{Polled, memory_target, primed},
    service::Service,
};

const COUNTS: [usize; 3] = [1_000, 10_000, 100_000];
const QUICK: [usize; 2] = [200, 1_000];
const MILLION: usize = 1_000_000;

/// How long polls are measured: a round and a bit, and two rounds of many.
const TIME: Duration = Duration::from_secs(12);
const LONGER: Duration = Duration::from_secs(20);
/// As many as `LONGER` is for.
const MANY: usize = 100_000;
/// What the last first polls may take.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// How long all tasks may take to leave, or to be adopted.
const LIMIT: Duration = Duration::from_secs(600);
/// `tasks.get_wait`: a Get that took less was answered after the first poll.
const GET_WAIT: Duration = Duration::from_secs(2);

/// A stop does not accept for a while first, and a million is no limit.
const CONFIG: &str = "server.drain_grace = \"0s\"\ntasks.max_tasks = 2000000\n";
/// A million polls every 10 s are more than two cores can do.
const SELDOM: &str = "polling.interval = \"60s\"\n";

/// What so many tasks cost.
struct Row {
    count: usize,
    created: Cost,
    /// In memory that those before have left.
    created_again: Cost,
    adopted: Adopted,
    polled: Polled,
    /// From SIGTERM until the process had ended.
    drained: Duration,
}

/// How all tasks were adopted by a service that was just started.
struct Adopted {
    /// From the start of the process until all were live and polled.
    took: Duration,
    /// The first Get of each.
    gets: Closed,
    p99: Duration,
}

pub fn run(settings: &Settings, report: &mut Report) {
    let mut counts = if settings.quick { QUICK.to_vec() } else { COUNTS.to_vec() };
    if settings.million {
        counts.push(MILLION);
    }
    let mut measure = |count| runtime().block_on(Row::measure(settings, count, report));
    let rows: Vec<_> = counts.into_iter().map(&mut measure).collect();
    let svg = settings.json.with_file_name("scale.svg");
    match plot::draw(&rows, &svg) {
        Ok(()) => println!("  drawn as {}", svg.display()),
        Err(error) => {
            eprintln!("cannot draw {}: {error}", svg.display());
            std::process::exit(1);
        }
    }
}

impl Row {
    /// Measures what so many tasks cost, and tells each figure once it is known.
    async fn measure(settings: &Settings, count: usize, report: &mut Report) -> Self {
        let of = |figure: &str| format!("{} tasks: {figure}", thousands(count));
        let mut first = Service::flightdeck(&format!("{CONFIG}{POLLED_ONCE}"));
        let (created, handles) = create(&first, count).await;
        tell_create(&of("Create, in new memory"), &created, report);
        let memory = created.memory();
        report.aimed(of("memory, created"), "KiB each", memory, memory_target(count));
        delete(&first, handles).await;
        let (created_again, handles) = create(&first, count).await;
        tell_create(&of("Create, in memory used before"), &created_again, report);
        first.stop();

        let began = Instant::now();
        let interval = if count < MILLION { "" } else { SELDOM };
        let mut second = Service::flightdeck(&format!("{CONFIG}{interval}"));
        let gets = Gets::of(&handles);
        let without = primed(&second, &gets).await;
        let adopted = adopt(&second, gets, count, began).await;
        report.figure(of("adopted after a restart"), "s", adopted.took.as_secs_f64());
        report.figure(of("Get that adopts: rate"), "calls/s", adopted.gets.rate());
        report.figure(of("Get that adopts: p99"), "ms", adopted.p99.as_secs_f64() * 1e3);

        let time = settings.time(if count < MANY { TIME } else { LONGER });
        let polled = Polled::of(&second, count, without, time, async || {}).await;
        polled.tell(&format!("{} tasks, adopted", thousands(count)), report);
        let drained = second.stop();
        report.figure(of("stop"), "s", drained.as_secs_f64());
        Self { count, created, created_again, adopted, polled, drained }
    }
}

/// Creates so many sensors that wait for ever.
async fn create(service: &Service, count: usize) -> (Cost, Vec<Bytes>) {
    let creates = waiting();
    let cost = Cost::of(service, &creates, SIXTEEN, Until::Count(count), AFTERWARDS).await;
    assert_eq!(live(service).await, count, "all are live");
    (cost, creates.take())
}

fn tell_create(what: &str, cost: &Cost, report: &mut Report) {
    report.figure(what, "us CPU", cost.cpu());
    report.figure(format!("{what}: rate"), "calls/s", cost.rate());
    report.figure(format!("{what}: page faults"), "a task", cost.faults());
}

/// Deletes all tasks, and waits until they have left.
async fn delete(service: &Service, handles: Vec<Bytes>) {
    let all = Until::Count(handles.len());
    let deletes = Deletes::of(handles);
    closed(service, &deletes, SIXTEEN.connections, SIXTEEN.streams, all).await;
    let leaving = async {
        while live(service).await > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LIMIT, leaving).await.expect("all leave");
}

/// Asks about each task until all are live and polled.
async fn adopt(service: &Service, gets: Gets, count: usize, began: Instant) -> Adopted {
    let mut first = None;
    loop {
        let gets = Timed::of(gets.clone());
        let all = Until::Count(count);
        let done = closed(service, &gets, SIXTEEN.connections, SIXTEEN.streams, all);
        let done = timeout(LIMIT, done).await.expect("all are adopted");
        let (gets_done, p99) = *first.get_or_insert((done, gets.quantile(0.99)));
        if gets.quantile(1.0) < GET_WAIT && live(service).await >= count {
            return Adopted { took: began.elapsed(), gets: gets_done, p99 };
        }
    }
}

/// How many tasks a service has.
async fn live(service: &Service) -> usize {
    scrape::live(&service.scrape().await) as usize
}

/// With a comma between thousands.
fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut told = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}
