//! What a task costs over the floor that Flightdeck forwards. Its upstream is a
//! second floor, whose part of the work is not counted: a Create, a Delete, the
//! first poll and a run of a sync task are each a call of the upstream too.

use std::time::Duration;

use crate::{
    Settings,
    cost::{POLLED_ONCE, Rounds, sensors},
    create::live,
    get::traces,
    load::{Executes, Gets},
    messages,
    report::Report,
    runtime,
    service::Service,
};

/// Tasks that are created, and deleted again, in a round.
const TASKS: usize = 8_000;
/// Tasks that are asked about.
const ASKED: usize = 100;
/// How long each of the other measurements takes.
const TIME: Duration = Duration::from_millis(600);

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        let collector = Service::role("collector");
        let (floor, upstream) = (Service::floor(), Service::floor());
        let config = format!("{POLLED_ONCE}{}", traces(Some(0.01), &collector));
        let pair = [floor, Service::forwarding(&upstream, &config).await];
        lives(&pair, settings, report).await;
        let gets =
            [Gets::of(&sensors(&pair[0], ASKED).await), Gets::of(&sensors(&pair[1], ASKED).await)];
        let (time, rounds) = (settings.time(TIME), settings.rounds());
        let gets = Rounds::of(&pair, gets.each_ref(), time, rounds).await;
        gets.tell_all("Get, forwarded", report);
        // The upstream sends no request to it.
        let webhook = Executes::of(messages::webhook("http://localhost/"));
        let webhooks = Rounds::of(&pair, [&webhook; 2], time, rounds).await;
        webhooks.tell_all("ExecuteTaskSync, forwarded", report);
    });
}

async fn lives([floor, service]: &[Service; 2], settings: &Settings, report: &mut Report) {
    let count = settings.count(TASKS, 200);
    let (mut creates, mut deletes) = (Rounds::default(), Rounds::default());
    for round in 0..=settings.rounds() {
        let (bare, ours) = (live(floor, count).await, live(service, count).await);
        // The first is for warming up.
        if round > 0 {
            creates.push(bare.0, ours.0);
            deletes.push(bare.1, ours.1);
        }
    }
    for (name, rounds) in [("Create, forwarded", creates), ("Delete, forwarded", deletes)] {
        rounds.tell_all(name, report);
    }
}
