//! What a task costs over the floor that Flightdeck forwards. Its upstream is a
//! second floor, whose part of the work is not counted: a Create, a Delete, the
//! first poll and a run of a sync task are each a call of the upstream too.

use std::time::Duration;

use crate::{
    Settings,
    cost::{Cost, Rounds, SIXTEEN, sensors},
    create::live,
    get::traces,
    load::{Calls, Executes, Gets, Until},
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

/// No poll but the first while it is measured, and no tombstones.
const CONFIG: &str = "tasks.retention = \"0s\"\npolling.first = []\npolling.interval = \"1h\"\n\
                      polling.max_backoff = \"1h\"\n";

pub fn run(settings: &Settings, report: &mut Report) {
    runtime().block_on(async {
        let collector = Service::role("collector");
        let (floor, upstream) = (Service::floor(), Service::floor());
        let config = format!("{CONFIG}{}", traces(Some(0.01), &collector));
        let pair = [floor, Service::forwarding(&upstream, &config).await];
        lives(&pair, settings, report).await;
        let gets =
            [Gets::of(&sensors(&pair[0], ASKED).await), Gets::of(&sensors(&pair[1], ASKED).await)];
        calls("Get, forwarded", &gets, &pair, settings, report).await;
        // The upstream sends no request to it.
        let webhook = Executes::of(messages::webhook("http://localhost/"));
        let webhooks = [webhook.clone(), webhook];
        calls("ExecuteTaskSync, forwarded", &webhooks, &pair, settings, report).await;
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
        report.median(name, "x floor", rounds.ratios());
        rounds.tell(name, report);
    }
}

async fn calls(
    name: &str,
    [bare, ours]: &[impl Calls; 2],
    [floor, service]: &[Service; 2],
    settings: &Settings,
    report: &mut Report,
) {
    let until = Until::Passed(settings.time(TIME));
    let mut rounds = Rounds::default();
    for round in 0..=settings.rounds() {
        let bare = Cost::of(floor, bare, SIXTEEN, until, Duration::ZERO).await;
        let ours = Cost::of(service, ours, SIXTEEN, until, Duration::ZERO).await;
        if round > 0 {
            rounds.push(bare, ours);
        }
    }
    report.median(name, "x floor", rounds.ratios());
    rounds.tell(name, report);
}
