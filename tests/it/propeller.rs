//! Propeller's rules, over faults of the backend and kills of the service, in
//! simulated time: what comes after a task's Create costs the user nothing, and
//! no job is left that nobody asks about.
//!
//! A seed makes a run: `PROPELLER_SEEDS=1000 cargo test --test it propeller`.

mod direct;
mod mortal;

use std::{collections::HashSet, ops::Range, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

use crate::common::{
    books::{Books, Fault},
    job_connector::{ENDLESS, JobConnector},
    propeller::{Propeller, Report, Rules, Service, Workflow},
};
use direct::Direct;
use mortal::Mortal;

/// How many seeds an ordinary run of the tests tries.
const SEEDS: u64 = 12;

const MINUTE: Duration = Duration::from_secs(60);

/// How long it takes until nothing is left of a fault: polls and deletes back
/// off up to two minutes, orphans get five.
const AFTERMATH: Duration = Duration::from_secs(30 * 60);

/// The faults with how many minutes they may last: less than it takes until
/// they count as the job's own end.
const FAULTS: [(Fault, u64); 8] = [
    (Fault::Refused, 40),
    (Fault::Unavailable, 40),
    (Fault::Hangs, 40),
    (Fault::Cut, 40),
    (Fault::Slow(Duration::from_secs(8)), 40),
    (Fault::Slow(Duration::from_secs(15)), 40),
    (Fault::Denied, 4),
    (Fault::Lags, 4),
];

#[test]
fn faults_after_a_create_cost_no_task_and_no_workflow_and_leave_no_job() {
    let mut all = Report::default();
    for seed in seeds() {
        let (report, left) = simulate(async || {
            let books = Books::default();
            let service = Mortal::start(JobConnector(books.clone())).await;
            run(seed, &books, Propeller::new(service, Rules::REAL)).await
        });
        assert!(report.lost.is_empty(), "seed {seed}: {:#?}", report.lost);
        assert!(left.is_empty(), "seed {seed}: nobody asks about these jobs: {left:?}");
        all.add(report);
    }
    // The rules are kept only if there was something to keep them in.
    assert!(all.succeeded > 0 && all.aborted > 0 && all.failed_rounds > 0, "{all:?}");
}

#[test]
fn nor_do_kills_of_the_service() {
    for seed in seeds() {
        let (report, left) = simulate(async || {
            let books = Books::default();
            let service = Mortal::start(JobConnector(books.clone())).await;
            let propeller = Propeller::new(service.clone(), Rules::REAL);
            let killed = tokio::spawn(kill_now_and_then(seed, service, propeller.clone()));
            let (report, left) = run(seed, &books, propeller).await;
            let taken = killed.await.expect("no panic");
            (report, &left - &taken)
        });
        assert!(report.lost.is_empty(), "seed {seed}: {:#?}", report.lost);
        assert!(left.is_empty(), "seed {seed}: nobody asks about these jobs: {left:?}");
    }
}

#[test]
fn without_flightdeck_the_same_faults_cost_tasks_and_workflows_and_leave_jobs() {
    let mut all = Report::default();
    let mut all_left = 0;
    for seed in 0..SEEDS {
        let (report, left) = simulate(async || {
            let books = Books::default();
            let service = Direct::new(JobConnector(books.clone()));
            run(seed, &books, Propeller::new(service, Rules::REAL)).await
        });
        all.add(report);
        all_left += left.len();
    }
    let lost = all.lost.join("\n");
    assert!(lost.contains("Gets failed"), "{lost}");
    assert!(lost.contains("too many failed rounds"), "{lost}");
    assert!(all_left > 0);
}

fn seeds() -> Range<u64> {
    let asked = std::env::var("PROPELLER_SEEDS").ok();
    0..asked.map_or(SEEDS, |count| count.parse().expect("a number of seeds"))
}

/// Runs in simulated time, which goes on when everybody waits.
fn simulate<T>(run: impl AsyncFnOnce() -> T) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(run())
}

/// Some workflows, in bad weather: what became of them, and the jobs that run
/// on though nobody asks about them.
async fn run(
    seed: u64,
    books: &Books,
    propeller: Propeller<impl Service>,
) -> (Report, HashSet<usize>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut workflows = JoinSet::new();
    let weather = tokio::spawn(weather(StdRng::seed_from_u64(!seed), books.clone()));
    for number in 0..6 {
        workflows.spawn(propeller.clone().run(workflow(&mut rng, number)));
        sleep(minutes(&mut rng, 0..10)).await;
    }
    let mut all = Report::default();
    while let Some(report) = workflows.join_next().await {
        all.add(report.expect("a workflow does not panic"));
    }
    weather.abort();
    books.set_fault(None);
    sleep(AFTERMATH).await;
    assert!(propeller.held().is_empty(), "every workflow has ended");
    (all, books.running().into_iter().collect())
}

/// A workflow whose jobs end, or one that its user aborts; some have timeouts.
fn workflow(rng: &mut StdRng, number: usize) -> Workflow {
    let endless = rng.random_bool(0.5);
    Workflow {
        name: format!("{}{number}", if endless { ENDLESS } else { "w" }),
        nodes: rng.random_range(2..8),
        task_type: "job",
        abort_after: endless.then(|| minutes(rng, 1..150)),
        timeout: rng.random_bool(0.3).then(|| minutes(rng, 30..60)),
    }
}

/// One fault after another, with time to recover between them.
async fn weather(mut rng: StdRng, books: Books) {
    loop {
        let (fault, longest) = FAULTS[rng.random_range(0..FAULTS.len())];
        books.set_fault(Some(fault));
        sleep(minutes(&mut rng, 1..longest)).await;
        books.set_fault(None);
        sleep(minutes(&mut rng, 6..15)).await;
    }
}

/// Kills the service a few times: the jobs whose end a kill took with it.
async fn kill_now_and_then(
    seed: u64,
    service: Mortal,
    propeller: Propeller<Mortal>,
) -> HashSet<usize> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut taken = HashSet::new();
    for _ in 0..4 {
        // Seconds, so that it falls between the Gets as well as into them.
        sleep(Duration::from_secs(rng.random_range(60..3000))).await;
        taken.extend(service.kill(&propeller).await);
    }
    taken
}

fn minutes(rng: &mut StdRng, range: Range<u64>) -> Duration {
    MINUTE * u32::try_from(rng.random_range(range)).expect("a few")
}
