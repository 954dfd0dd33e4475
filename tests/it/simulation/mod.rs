//! The simulation: the real services on a simulated network ([`network`]), a
//! propeller that counts what its users lose, and bad weather ([`weather`]):
//! partitions, kills and restarts of the services, faults of the backend.
//!
//! What it costs must be nothing: no task that was created and no workflow is
//! lost, no list of agents fails while the services can be reached, and no job
//! is left that nobody asks about.
//!
//! A seed and a commit make a run. `SIMULATION_SEED=7` runs one seed,
//! `SIMULATION_SEEDS=10000` so many, from 0.

mod grpc;
mod lister;
mod network;
mod run;
mod weather;

use std::{
    ops::Range,
    panic::catch_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use run::run;

/// How many seeds an ordinary run of the tests tries.
const SEEDS: u64 = 6;

#[test]
fn bad_weather_costs_no_task_and_no_workflow_and_leaves_no_job() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let succeeded = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let done = catch_unwind(|| check(seed)).unwrap_or_else(|panic| {
                eprintln!("seed {seed} failed: SIMULATION_SEED={seed} runs it again");
                std::panic::resume_unwind(panic)
            });
            succeeded.fetch_add(done, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let several = seeds.end - seeds.start >= SEEDS;
    assert!(!several || succeeded.into_inner() > 0, "there was something to lose");
}

#[test]
fn a_seed_repeats_its_run() {
    let seed = seeds().start;
    let (one, two) = (run(seed), run(seed));
    let differ = one.said.iter().zip(&two.said).position(|(one, two)| one != two);
    if let Some(at) = differ {
        panic!("seed {seed}, answer {at}:\n{}\n{}", one.said[at], two.said[at]);
    }
    assert_eq!(one.said.len(), two.said.len(), "seed {seed}");
}

/// Runs a seed: how many tasks succeeded.
fn check(seed: u64) -> u64 {
    let outcome = run(seed);
    let lost = &outcome.report.lost;
    assert!(lost.is_empty(), "seed {seed}: {lost:#?}");
    let left = &outcome.left;
    assert!(left.is_empty(), "seed {seed}: nobody asks about these jobs: {left:?}");
    outcome.report.succeeded.try_into().unwrap_or(u64::MAX)
}

/// The seeds that the environment asks for.
fn seeds() -> Range<u64> {
    let asked = |name| std::env::var(name).ok().map(|n: String| n.parse().expect("a number"));
    match asked("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..asked("SIMULATION_SEEDS").unwrap_or(SEEDS),
    }
}
