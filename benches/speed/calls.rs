//! What the other calls cost over the floor.

use std::time::Duration;

use crate::{
    Settings,
    cost::Rounds,
    get::traces,
    load::{Executes, Lists},
    messages,
    report::Report,
    runtime,
    service::Service,
};

/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(600);

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        let collector = Service::role("collector");
        let services = [Service::floor(), Service::flightdeck(&traces(Some(0.01), &collector))];
        let (time, rounds) = (settings.time(TIME), settings.rounds());
        let lists = Rounds::of(&services, [&Lists; 2], time, rounds).await;
        lists.tell_all("ListAgents", report);
        // The floor sends no request to the hook.
        let hook = Service::role("hook");
        let webhook = Executes::of(messages::webhook(&hook.url()));
        let webhooks = Rounds::of(&services, [&webhook; 2], time, rounds).await;
        webhooks.tell_all("ExecuteTaskSync of a webhook", report);
    });
}
