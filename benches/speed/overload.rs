//! What happens when more is asked than the service can do: of a service with a
//! CPU limit, as in a pod, and of one at its limit of requests under way. What is
//! offered is known before, because the client is not what is short.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::sleep;

use crate::{
    Settings,
    cost::sensors,
    load::{Call, Calls, Executes, Gets, Lists, Open, Stage, Until, Wire, closed, millis, open},
    messages,
    report::{
        Report,
        Target::{self, AtMost},
    },
    runtime,
    scrape::running,
    service::{CpuLimit, Service},
};

/// Over its capacity.
const OVER: [(&str, f64); 2] = [("2x", 2.0), ("10x", 10.0)];
/// Of its capacity, before and after.
const CALM: f64 = 0.5;
/// How long a capacity is measured.
const TIME: Duration = Duration::from_secs(2);
/// How long callers wait. Propeller waits 10 s: here it is a fifth, as all times
/// of the overload of the CPU, which stands for one of half a minute.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long propeller waits for the connectors.
const LIST_LIMIT: Duration = Duration::from_secs(10);
/// A window after the overload, in which it is as before or not.
const WINDOW: Duration = Duration::from_millis(200);

/// Sensors that are asked about.
const ASKED: usize = 1_000;
/// The part of a core that the service has: `limits.cpu: 50m`.
const CORES: f64 = 0.05;
/// Connections that ask, and calls under way on each while it answers as many as
/// it can.
const CONNECTIONS: usize = 16;
const STREAMS: usize = 32;

/// Requests under way at most, and how long each takes.
const IN_FLIGHT: usize = 32;
const TAKES: u64 = 50;

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        cpu(settings, report).await;
        in_flight(settings, report).await;
    });
}

/// Gets of the floor and of a service that have a part of a core.
async fn cpu(settings: &Settings, report: &mut Report) {
    let floor = Service::floor();
    let handles = sensors(&floor, ASKED).await;
    limited(&floor, &Gets::of(&handles), "the floor", settings, report).await;
    let service = Service::flightdeck("");
    let handles = sensors(&service, ASKED).await;
    limited(&service, &Gets::of(&handles), "Flightdeck", settings, report).await;
    let lost = lost(&service, &handles).await;
    report.targeted("Gets with a CPU limit, Flightdeck: tasks lost", "", vec![lost], AtMost(0.0));
}

/// The highest rate of a service that has a part of a core, and what is more.
async fn limited(
    service: &Service,
    gets: &Gets,
    name: &str,
    settings: &Settings,
    report: &mut Report,
) {
    let name = format!("Gets with a CPU limit, {name}");
    let _limit = CpuLimit::new(service, CORES);
    let until = Until::Passed(settings.time(TIME));
    closed(service, gets, CONNECTIONS, STREAMS, until).await;
    let before = (service.usage(), Instant::now());
    let capacity = closed(service, gets, CONNECTIONS, STREAMS, until).await.rate();
    let used = (service.usage() - before.0).cpu.as_secs_f64() / before.1.elapsed().as_secs_f64();
    report.figure(format!("{name}: used"), "cores", used);
    report.figure(format!("{name}: capacity"), "calls/s", capacity);
    for (times, over) in OVER {
        let load = Load::new(capacity, over, [2, 6, 4], settings);
        let name = format!("{name}, {times}");
        let stages = load.stages();
        let (open, lists) = tokio::join!(
            open(channels(service, CONNECTIONS).await, gets, &stages, DEADLINE),
            lists(service, load.time()),
        );
        load.tell(&name, &open, None, report);
        report.figure(format!("{name}: longest ListAgents"), "ms", lists);
    }
}

/// Webhooks that take their time, by a service that has so many at once.
async fn in_flight(settings: &Settings, report: &mut Report) {
    let hook = Service::role("hook");
    let service = Service::flightdeck(&format!("server.max_in_flight = {IN_FLIGHT}\n"));
    let webhook = Executes::of(messages::webhook(&format!("{}/after/{TAKES}", hook.url())));
    let until = Until::Passed(settings.time(TIME));
    // Half as many, so that none is refused while the last is not yet gone.
    let half = closed(&service, &webhook, 2, IN_FLIGHT / 4, until).await;
    let capacity = 2.0 * half.rate();
    report.figure(format!("{IN_FLIGHT} requests in flight: capacity"), "calls/s", capacity);
    for (name, over) in OVER {
        let load = Load::new(capacity, over, [2, 3, 1], settings);
        let name = format!("{IN_FLIGHT} requests in flight, {name}");
        let before = service.usage();
        let open = open(channels(&service, 2).await, &webhook, &load.stages(), DEADLINE).await;
        let cores = (service.usage() - before).cpu.as_secs_f64() / load.time().as_secs_f64();
        load.tell(&name, &open, Some(AtMost(0.0)), report);
        report.figure(format!("{name}: CPU, calm included"), "cores", cores);
    }
}

/// So many connections of clients that connect again when they have to.
async fn channels(service: &Service, count: usize) -> Vec<Wire> {
    join_all((0..count).map(|_| service.connect())).await
}

/// A calm, an overload, and a calm.
struct Load {
    capacity: f64,
    over: f64,
    before: Duration,
    overload: Duration,
    after: Duration,
}

impl Load {
    /// Of so many seconds each.
    fn new(capacity: f64, over: f64, seconds: [u64; 3], settings: &Settings) -> Self {
        let [before, overload, after] =
            seconds.map(|seconds| settings.time(Duration::from_secs(seconds)));
        Self { capacity, over, before, overload, after }
    }

    fn stages(&self) -> [Stage; 3] {
        let calm = CALM * self.capacity;
        [
            Stage { rate: calm, time: self.before },
            Stage { rate: self.over * self.capacity, time: self.overload },
            Stage { rate: calm, time: self.after },
        ]
    }

    /// When the overload ends.
    fn end(&self) -> Duration {
        self.before + self.overload
    }

    fn time(&self) -> Duration {
        self.end() + self.after
    }

    /// With how many percent may be lost.
    fn tell(&self, name: &str, open: &Open, lost: Option<Target>, report: &mut Report) {
        let calm = open.between(Duration::ZERO, self.before);
        // The steady state: not what comes while the queues still fill.
        let seen = open.between(self.before + self.overload / 3, self.end());
        let all = open.between(Duration::ZERO, self.time());
        let of = |figure: &str| format!("{name}: {figure}");
        report.figure(of("goodput"), "% of capacity", 100.0 * seen.goodput() / self.capacity);
        report.figure(of("refused"), "% of calls", seen.percent(seen.refusal.len()));
        report.figure(of("late"), "% of calls", seen.percent(seen.late));
        for (quantile, value) in [("p50", 0.5), ("p99", 0.99)] {
            let latency = |latency| millis(latency, value);
            report.figure(of(&format!("good, {quantile}")), "ms", latency(&seen.latency));
            if !seen.refusal.is_empty() {
                report.figure(of(&format!("refusal, {quantile}")), "ms", latency(&seen.refusal));
            }
            report.figure(of(&format!("the client's own, {quantile}")), "ms", latency(&seen.delay));
        }
        let before = millis(&calm.latency, 0.99);
        report.figure(of("good before, p99"), "ms", before);
        report.figure(of("until p99 is at most twice that"), "s", self.recovered(open, before));
        report.aimed(of("lost with their connection"), "% of calls", all.percent(all.cut), lost);
        report.targeted(of("other errors"), "", vec![all.failed as f64], AtMost(0.0));
        if let Some(fault) = &open.fault {
            println!("  {name}: {fault}");
        }
    }

    /// How many seconds after the overload calls are answered as before: all of
    /// a window are good, and their p99 is at most twice as long.
    fn recovered(&self, open: &Open, before: f64) -> f64 {
        let windows = (0..).map(|number| number * WINDOW).take_while(|from| *from < self.after);
        for from in windows {
            let seen = open.between(self.end() + from, self.end() + from + WINDOW);
            if seen.latency.len() == seen.due && millis(&seen.latency, 0.99) <= 2.0 * before {
                return from.as_secs_f64();
            }
        }
        f64::INFINITY
    }
}

/// Asks for the connectors as propeller does, on a new connection each time, for
/// so long: how long the slowest took, in milliseconds, infinite if one failed.
async fn lists(service: &Service, time: Duration) -> f64 {
    let began = Instant::now();
    let mut longest = 0.0_f64;
    while began.elapsed() < time {
        let asked = Instant::now();
        let mut list = Lists.on(service.connect().await);
        longest = match list.call(0, Some(LIST_LIMIT)).await {
            Ok(()) => longest.max(asked.elapsed().as_secs_f64() * 1e3),
            Err(_) => return f64::INFINITY,
        };
        sleep(WINDOW).await;
    }
    longest
}

/// How many of the tasks it does not hold as running any more.
async fn lost(service: &Service, handles: &[Bytes]) -> f64 {
    // Each must answer, and must not be another than before.
    closed(service, &Gets::of(handles), 1, 1, Until::Count(handles.len())).await;
    handles.len() as f64 - running(&service.scrape().await)
}
