//! The model: random lives of tasks, held against the promises of the design.
//!
//! Callers, backend and processes behave at random ([`transition`]), in
//! simulated time; the supervisor runs as it is, behind its own interface. What
//! it owes is written down in [`ledger`] (who may expect what), [`polls`] (what
//! a task's polls must lead to) and [`journal`] (what a SIGKILL excuses), and
//! is checked ([`system`], [`checks`]) after every step and at the end.
//!
//! `PROPTEST_RNG_SEED=7 PROPTEST_CASES=10000 cargo test --test it model` runs
//! longer, and from another seed. A case that
//! failed is kept in `tests/proptest-regressions` and is run first from then on.

mod attempt;
pub mod backend;
mod checks;
pub mod connector;
mod found;
mod journal;
mod ledger;
pub mod moment;
mod polls;
mod process;
mod system;
mod transition;

use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::prop_state_machine;

use system::System;

/// `PROPTEST_CASES` cases, or so many that nobody waits for them; from
/// `PROPTEST_RNG_SEED`, or one seed, so that what passed once passes again.
fn config() -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { cases: cases.unwrap_or(60), max_shrink_iters: 2000, rng_seed, ..config }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn the_promises_hold_whatever_happens(sequential 1..60 => System);
}
