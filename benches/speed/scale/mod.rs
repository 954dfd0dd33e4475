//! What tasks cost the more there are: from a thousand to a hundred thousand
//! live sensors, or a million, with a restart in the middle.
//!
//! A first service has them created, deleted and created again. It polls each
//! only once, so that a Create is not charged for polls of those before it. It
//! is stopped, and a second one, which polls every 10 s, adopts them all.

mod plot;

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use crate::{
    Settings,
    cost::{Cost, SIXTEEN, waiting},
    create::CONFIG as POLLED_ONCE,
    load::{Closed, Deletes, Gets, Timed, Until, closed},
    report::Report,
    runtime,
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
    let rows: Vec<_> = counts
        .into_iter()
        .map(|count| {
            let row = runtime().block_on(measure(settings, count));
            row.tell(report);
            row
        })
        .collect();
    let svg = settings.json.with_file_name("scale.svg");
    match plot::draw(&rows, &svg) {
        Ok(()) => println!("  drawn as {}", svg.display()),
        Err(error) => {
            eprintln!("cannot draw {}: {error}", svg.display());
            std::process::exit(1);
        }
    }
}

async fn measure(settings: &Settings, count: usize) -> Row {
    let mut first = Service::flightdeck(&format!("{CONFIG}{POLLED_ONCE}"));
    let (created, handles) = create(&first, count).await;
    let deletes = Deletes::of(handles);
    closed(&first, &deletes, SIXTEEN.connections, SIXTEEN.streams, Until::Count(count)).await;
    timeout(LIMIT, async {
        while live(&first).await > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("all leave");
    drop(deletes);
    let (created_again, handles) = create(&first, count).await;
    assert_eq!(live(&first).await, count, "all are live");
    first.stop();

    let began = Instant::now();
    let mut second = Service::flightdeck(CONFIG);
    let gets = Gets::of(&handles);
    let without = primed(&second, &gets).await;
    let adopted = adopt(&second, gets, count, began).await;
    let time = settings.time(if count < MANY { TIME } else { LONGER });
    let polled = Polled::of(&second, count, without, time, async || {}).await;
    let drained = second.stop();
    Row { count, created, created_again, adopted, polled, drained }
}

/// Creates so many sensors that wait for ever.
async fn create(service: &Service, count: usize) -> (Cost, Vec<Bytes>) {
    let creates = waiting();
    let cost = Cost::of(service, &creates, SIXTEEN, Until::Count(count), AFTERWARDS).await;
    (cost, creates.take())
}

/// Asks about each task until all are live and polled.
async fn adopt(service: &Service, gets: Gets, count: usize, began: Instant) -> Adopted {
    let mut rounds = Vec::new();
    loop {
        let gets = Timed::of(gets.clone());
        let all = Until::Count(count);
        let done = closed(service, &gets, SIXTEEN.connections, SIXTEEN.streams, all).await;
        rounds.push((done, gets.quantile(0.99)));
        if gets.quantile(1.0) < GET_WAIT && live(service).await >= count {
            let (gets, p99) = rounds[0];
            return Adopted { took: began.elapsed(), gets, p99 };
        }
        assert!(began.elapsed() < LIMIT, "not all are adopted");
    }
}

/// How many tasks a service has.
async fn live(service: &Service) -> usize {
    let text = service.scrape().await;
    let gauges = text.lines().filter_map(|line| line.strip_prefix("flightdeck_tasks{"));
    gauges.map(|line| line.rsplit(' ').next().map_or(0, |n| n.parse().expect("a count"))).sum()
}

impl Row {
    fn tell(&self, report: &mut Report) {
        let what = format!("{} tasks", thousands(self.count));
        let of = |figure: &str| format!("{what}: {figure}");
        let creates = [
            ("Create, in new memory", &self.created),
            ("Create, in memory used before", &self.created_again),
        ];
        for (name, cost) in creates {
            report.figure(of(name), "us CPU", cost.cpu());
            report.figure(of(&format!("{name}: rate")), "calls/s", cost.rate());
            report.figure(of(&format!("{name}: page faults")), "a task", cost.faults());
        }
        let memory = self.created.memory();
        report.aimed(of("memory, created"), "KiB each", memory, memory_target(self.count));
        report.figure(of("adopted after a restart"), "s", self.adopted.took.as_secs_f64());
        report.figure(of("Get that adopts: rate"), "calls/s", self.adopted.gets.rate());
        report.figure(of("Get that adopts: p99"), "ms", self.adopted.p99.as_secs_f64() * 1e3);
        self.polled.tell(&format!("{what}, adopted"), report);
        report.figure(of("stop"), "s", self.drained.as_secs_f64());
    }
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
