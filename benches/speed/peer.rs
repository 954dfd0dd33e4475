//! Throughput beside flytekit's own service: the same tasks, the same client.

use std::time::Duration;

use crate::{
    Settings,
    cost::{SIXTEEN, sensors, waiting},
    load::{Calls, Executes, Gets, Lists, Until, closed},
    messages,
    report::{Report, Target, Target::AtLeast},
    runtime,
    service::Service,
};

/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(600);
/// Sensors that are asked about.
const ASKED: usize = 100;

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(measure(settings, report));
}

async fn measure(settings: &Settings, report: &mut Report) {
    let Some(flytekit) = Service::flytekit().await else {
        return report.absent("calls a second over flytekit's", "no pyflyte on PATH");
    };
    let pair = [flytekit, Service::flightdeck("")];
    let theirs = Gets::of(&sensors(&pair[0], ASKED).await);
    let ours = Gets::of(&sensors(&pair[1], ASKED).await);
    let hook = Service::role("hook");
    let webhook = Executes::of(messages::webhook(&hook.url()));
    let mut compare = Compare { pair, settings, report };
    compare.calls("GetTask", [&theirs, &ours], Some(AtLeast(40.0))).await;
    compare.calls("CreateTask", [&waiting(), &waiting()], None).await;
    compare.calls("ExecuteTaskSync of a webhook", [&webhook, &webhook], None).await;
    compare.calls("ListAgents", [&Lists, &Lists], None).await;
}

/// flytekit's service and ours.
struct Compare<'a> {
    pair: [Service; 2],
    settings: &'a Settings,
    report: &'a mut Report,
}

impl Compare<'_> {
    async fn calls<C: Calls>(&mut self, name: &str, calls: [&C; 2], target: Option<Target>) {
        let until = Until::Passed(self.settings.time(TIME));
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..self.settings.rounds() {
            for ((service, calls), rates) in self.pair.iter().zip(calls).zip(&mut rates) {
                let done =
                    closed(service, calls, SIXTEEN.connections, SIXTEEN.streams, until).await;
                rates.push(done.rate());
            }
        }
        let [theirs, ours] = rates;
        let times = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        let figure = format!("{name}, over flytekit");
        match target {
            Some(target) => self.report.targeted(figure, "x calls/s", times, target),
            None => self.report.median(figure, "x calls/s", times),
        }
        self.report.median(format!("{name} of flytekit"), "calls/s", theirs);
        self.report.median(name, "calls/s", ours);
    }
}
