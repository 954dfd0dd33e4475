//! How long calls take that come at their own rate, beside the floor at the same
//! rate.
//!
//! The client has the same cores as the service, so the highest rate is that of
//! both: the highest at which this client's calls are answered as they come. The
//! parts of it are of Flightdeck's own, for the floor too.

use std::time::Duration;

use futures::future::join_all;
use hdrhistogram::Histogram;

use crate::{
    Settings,
    cost::{POLLED_ONCE, sensors, waiting},
    get::traces,
    load::{Calls, Gets, Open, Seen, Stage, Until, Wire, closed, millis, open},
    report::Report,
    runtime,
    service::Service,
};

/// How long each round takes.
const TIME: Duration = Duration::from_millis(600);
/// Sensors that are asked about.
const ASKED: usize = 100;
/// Propellers, each with a connection.
const CONNECTIONS: usize = 2;
/// How long propeller waits for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Parts of the highest rate.
const PARTS: [(&str, f64); 4] = [("25 %", 0.25), ("50 %", 0.5), ("75 %", 0.75), ("90 %", 0.9)];
/// The part of it at which tasks are created.
const CREATES: f64 = 0.1;
/// Halvings of the search for the highest rate: to 3 % of it.
const HALVINGS: usize = 5;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(measure(settings, report));
}

async fn measure(settings: &Settings, report: &mut Report) {
    let collector = Service::role("collector");
    let config = format!("{POLLED_ONCE}{}", traces(Some(0.01), &collector));
    let (floor, service) = (Service::floor(), Service::flightdeck(&config));
    let asked = [
        ("the floor", &floor, Gets::of(&sensors(&floor, ASKED).await)),
        ("Flightdeck", &service, Gets::of(&sensors(&service, ASKED).await)),
    ];
    let mut highest = 0.0;
    for (who, service, gets) in &asked {
        highest = search(service, gets, settings).await;
        report.figure(format!("Get, highest rate of {who}"), "calls/s", highest);
    }
    for (name, part) in PARTS {
        let rounds = Rounds::of(&asked, highest * part, settings).await;
        let delay = rounds.iter().flat_map(|rounds| rounds.quantiles(0.5, |seen| &seen.delay));
        let delay = delay.collect();
        for ((who, ..), rounds) in asked.iter().zip(rounds) {
            rounds.tell(&format!("Get, {name} of it, {who}"), report);
        }
        report.median(format!("Get, {name} of it, the client's own, p50"), "us", delay);
    }
    let rate = highest * CREATES;
    let upstream = Service::floor();
    let forwarding = Service::forwarding(&upstream, &config).await;
    let creates = [
        ("Create, the floor", &floor, waiting()),
        ("Create, Flightdeck", &service, waiting()),
        ("Create, forwarded by Flightdeck to the floor", &forwarding, waiting()),
    ];
    report.figure("Create: rate", "calls/s", rate);
    let rounds = Rounds::of(&creates, rate, settings).await;
    for ((name, ..), rounds) in creates.iter().zip(rounds) {
        rounds.tell(name, report);
    }
}

/// The highest rate that is kept up with.
async fn search(service: &Service, calls: &impl Calls, settings: &Settings) -> f64 {
    let until = Until::Passed(settings.time(TIME));
    // The first is for warming up. An open loop costs the client more.
    closed(service, calls, CONNECTIONS, 64, until).await;
    let most = closed(service, calls, CONNECTIONS, 64, until).await.rate();
    let (mut good, mut bad) = (0.2 * most, 1.1 * most);
    for _ in 0..HALVINGS {
        let rate = f64::midpoint(good, bad);
        // Another chance, because something else may have run meanwhile.
        let kept_up = kept_up(service, calls, rate, settings).await
            || kept_up(service, calls, rate, settings).await;
        if kept_up { good = rate } else { bad = rate }
    }
    good
}

/// True if all calls are answered as they come.
async fn kept_up(service: &Service, calls: &impl Calls, rate: f64, settings: &Settings) -> bool {
    let (open, seen) = load(service, calls, rate, settings).await;
    open.fault.is_none() && seen.kept_up()
}

/// Such calls at this rate for a round.
async fn load(
    service: &Service,
    calls: &impl Calls,
    rate: f64,
    settings: &Settings,
) -> (Open, Seen) {
    let stage = Stage { rate, time: settings.time(TIME) };
    let connections = (0..CONNECTIONS).map(|_| Wire::lean(service.address()));
    let open = open(join_all(connections).await, calls, &[stage], DEADLINE).await;
    let seen = open.between(Duration::ZERO, stage.time);
    (open, seen)
}

/// The same at a rate that is kept up with.
async fn at(service: &Service, calls: &impl Calls, rate: f64, settings: &Settings) -> Seen {
    let (open, seen) = load(service, calls, rate, settings).await;
    assert!(open.fault.is_none(), "{:?}", open.fault);
    // Else the slowest would be missing from the latency.
    assert_eq!((seen.late, seen.refusal.len()), (0, 0));
    seen
}

/// Rounds at one rate.
struct Rounds(Vec<Seen>);

impl Rounds {
    /// Such calls of each service, in turn.
    async fn of<C: Calls>(
        calls: &[(&str, &Service, C)],
        rate: f64,
        settings: &Settings,
    ) -> Vec<Self> {
        let mut rounds: Vec<_> = calls.iter().map(|_| Self(Vec::new())).collect();
        for _ in 0..settings.rounds() {
            for ((_, service, calls), rounds) in calls.iter().zip(&mut rounds) {
                rounds.0.push(at(service, calls, rate, settings).await);
            }
        }
        rounds
    }

    /// In microseconds.
    fn quantiles(&self, quantile: f64, of: fn(&Seen) -> &Histogram<u64>) -> Vec<f64> {
        self.0.iter().map(|seen| millis(of(seen), quantile) * 1e3).collect()
    }

    fn tell(&self, name: &str, report: &mut Report) {
        for (quantile, value) in QUANTILES {
            let rounds = self.quantiles(value, |seen| &seen.latency);
            report.median(format!("{name}, {quantile}"), "us", rounds);
        }
        let most = self.quantiles(1.0, |seen| &seen.latency).into_iter().fold(0.0, f64::max);
        report.figure(format!("{name}, at most"), "us", most);
    }
}
