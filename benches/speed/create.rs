//! What a Create and a Delete cost over the floor: the actor, its first poll and
//! its timer included.

use std::time::Duration;

use crate::{
    Settings,
    cost::{Cost, POLLED_ONCE, Rounds, SIXTEEN, waiting},
    get::traces,
    load::{Deletes, Until},
    report::{Report, Target::AtMost},
    runtime,
    service::Service,
};

/// Tasks that are created, and deleted again, in a round.
const TASKS: usize = 20_000;
/// What the last first polls, and the last actors to leave, may take.
const AFTERWARDS: Duration = Duration::from_millis(500);

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(measure(settings, report));
}

async fn measure(settings: &Settings, report: &mut Report) {
    let count = settings.count(TASKS, 200);
    let collector = Service::role("collector");
    let floor = Service::floor();
    let service = Service::flightdeck(&format!("{POLLED_ONCE}{}", traces(Some(0.01), &collector)));
    let (mut creates, mut deletes) = (Rounds::default(), Rounds::default());
    let mut faults = Vec::new();

    live(&floor, count).await;
    let bare = live(&floor, count).await;
    let cold = live(&service, count).await;
    for _ in 0..settings.rounds() {
        let (bare, ours) = (live(&floor, count).await, live(&service, count).await);
        creates.push(bare.0, ours.0);
        deletes.push(bare.1, ours.1);
        faults.push(ours.0.faults());
    }
    report.targeted("Create, in memory used before", "x floor", creates.ratios(), AtMost(2.0));
    report.median("Create, in memory used before: page faults", "a task", faults);
    report.figure("Create, in new memory", "x floor", cold.0.cpu() / bare.0.cpu());
    report.figure("Create, in new memory: page faults", "a task", cold.0.faults());
    creates.tell("Create", report);
    deletes.tell_all("Delete", report);
}

/// Creates so many tasks, and deletes them.
pub async fn live(service: &Service, count: usize) -> (Cost, Cost) {
    let creates = waiting();
    let until = Until::Count(count);
    let created = Cost::of(service, &creates, SIXTEEN, until, AFTERWARDS).await;
    let deletes = Deletes::of(creates.take());
    (created, Cost::of(service, &deletes, SIXTEEN, until, AFTERWARDS).await)
}
