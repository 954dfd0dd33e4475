//! What a Get costs over the floor, without traces and with some.

use std::time::Duration;

use crate::{
    Settings,
    cost::{Cost, ONE, Rounds, SIXTEEN, Shape, sensors},
    load::{Gets, Until},
    report::{Report, Target::AtMost},
    runtime,
    service::Service,
};

/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(700);
/// Sensors that are asked about.
const ASKED: usize = 100;

/// The parts of requests that are traced.
const RATIOS: [(&str, Option<f64>); 3] =
    [("untraced", None), ("1 % sampled", Some(0.01)), ("all sampled", Some(1.0))];

/// What is measured: which of the ratios, how, and what it may cost.
const MEASURED: [(usize, Shape, Option<f64>); 6] = [
    (0, SIXTEEN, None),
    (1, SIXTEEN, Some(1.15)),
    (2, SIXTEEN, Some(1.5)),
    (0, ONE, None),
    (1, ONE, Some(1.25)),
    (2, ONE, None),
];

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(measure(settings, report));
}

async fn measure(settings: &Settings, report: &mut Report) {
    let until = Until::Passed(settings.time(TIME));
    let collector = Service::role("collector");
    let floor = Asked::new(Service::floor()).await;
    let mut ours = Vec::new();
    for (_, ratio) in RATIOS {
        ours.push(Asked::new(Service::flightdeck(&traces(ratio, &collector))).await);
    }
    for service in ours.iter().chain([&floor]) {
        service.cost(SIXTEEN, until).await;
    }
    let mut rounds: [Rounds; MEASURED.len()] = Default::default();
    for _ in 0..settings.rounds() {
        for shape in [SIXTEEN, ONE] {
            let bare = floor.cost(shape, until).await;
            for ((ratio, of, _), rounds) in MEASURED.iter().zip(&mut rounds) {
                if *of == shape {
                    rounds.push(bare, ours[*ratio].cost(shape, until).await);
                }
            }
        }
    }
    for ((ratio, shape, target), rounds) in MEASURED.into_iter().zip(rounds) {
        let name = format!("Get, {}, {}", shape.name, RATIOS[ratio].0);
        match target {
            Some(most) => report.targeted(&name, "x floor", rounds.ratios(), AtMost(most)),
            None => report.median(&name, "x floor", rounds.ratios()),
        }
        if ratio == 1 {
            rounds.tell(&name, report);
        }
    }
}

/// The configuration that has this part of requests traced.
pub fn traces(ratio: Option<f64>, collector: &Service) -> String {
    ratio.map_or(String::new(), |ratio| {
        format!("traces.endpoint = {:?}\ntraces.sample_ratio = {ratio:?}\n", collector.url())
    })
}

/// A service, and sensors of it.
struct Asked {
    service: Service,
    gets: Gets,
}

impl Asked {
    async fn new(service: Service) -> Self {
        let gets = Gets::of(&sensors(&service, ASKED).await);
        Self { service, gets }
    }

    async fn cost(&self, shape: Shape, until: Until) -> Cost {
        Cost::of(&self.service, &self.gets, shape, until, Duration::ZERO).await
    }
}
