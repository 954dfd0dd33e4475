//! What the other calls cost over the floor.

use std::time::Duration;

use crate::{
    Settings,
    cost::{Cost, Rounds, SIXTEEN},
    get::traces,
    load::{Calls, Executes, Lists, Until},
    messages,
    report::Report,
    runtime,
    service::Service,
};

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(1);

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        let collector = Service::role("collector");
        let services = [Service::floor(), Service::flightdeck(&traces(Some(0.01), &collector))];
        measure("ListAgents", &Lists, &services, settings, report).await;
        // The floor sends no request to the hook.
        let hook = Service::role("hook");
        let webhook = Executes::of(messages::webhook(&hook.url()));
        measure("ExecuteTaskSync of a webhook", &webhook, &services, settings, report).await;
    });
}

async fn measure(
    name: &str,
    calls: &impl Calls,
    [floor, service]: &[Service; 2],
    settings: &Settings,
    report: &mut Report,
) {
    let until = Until::Passed(settings.time(TIME));
    let mut rounds = Rounds::default();
    for round in 0..=settings.rounds() {
        let bare = Cost::of(floor, calls, SIXTEEN, until, Duration::ZERO).await;
        let ours = Cost::of(service, calls, SIXTEEN, until, Duration::ZERO).await;
        // The first is for warming up.
        if round > 0 {
            rounds.push(bare, ours);
        }
    }
    report.median(name, "x floor", rounds.ratios());
    rounds.tell(name, report);
}
