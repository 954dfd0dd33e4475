//! What goes wrong in a run, and when: made from the seed before it begins.

use std::{collections::VecDeque, ops::Range, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::model::{
    backend::{Fault, Operation},
    moment::Moment,
};

const SECOND: Duration = Duration::from_secs(1);

/// The faults that a backend may have for long, on any operation.
const FAULTS: [Fault; 5] = [
    Fault::Transient,
    Fault::Unreached,
    Fault::Hangs,
    Fault::Slow(Duration::from_secs(8)),
    Fault::Slow(Duration::from_secs(15)),
];

const OPERATIONS: [Operation; 3] = [Operation::Create, Operation::Get, Operation::Delete];

/// A change of the weather.
#[derive(Debug, Clone)]
pub enum Change {
    /// Operations of the backend fail.
    Fails(Vec<Operation>, Fault),
    /// The backend works again.
    Recovers,
    /// Packets are held back, and arrive when the network is mended.
    Holds,
    /// Packets are lost: connections are broken from then on.
    Parts,
    /// The network is mended.
    Mends,
    /// The process of the services is killed.
    Dies,
    /// Another one starts.
    Starts,
    /// The services are asked to stop, and start again.
    Restarts,
}

/// The changes of a run, in their order.
pub fn weather(seed: u64, until: Duration) -> VecDeque<(Moment, Change)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut changes = backend(&mut rng, until);
    changes.extend(network(&mut rng, until));
    changes.sort_by_key(|(at, _)| *at);
    changes.into()
}

/// One fault after another, with time for a good poll between them.
fn backend(rng: &mut StdRng, until: Duration) -> Vec<(Moment, Change)> {
    let mut changes = Vec::new();
    let mut now = seconds(rng, 10..200);
    while now < until {
        let (operations, fault, longest) = match rng.random_range(0..8) {
            0 => (vec![Operation::Get, Operation::Delete], Fault::Denied, 240),
            1 => (vec![Operation::Get], Fault::Gone, 240),
            2..5 => (OPERATIONS.to_vec(), FAULTS[rng.random_range(0..FAULTS.len())], 1200),
            _ => {
                let operation = OPERATIONS[rng.random_range(0..OPERATIONS.len())];
                (vec![operation], FAULTS[rng.random_range(0..FAULTS.len())], 1200)
            }
        };
        changes.push((now, Change::Fails(operations, fault)));
        now = until.min(now + seconds(rng, 5..longest));
        changes.push((now, Change::Recovers));
        // Polls back off up to two minutes, and a hanging one takes half of one.
        now += seconds(rng, 200..400);
    }
    changes
}

/// One outage after another.
fn network(rng: &mut StdRng, until: Duration) -> Vec<(Moment, Change)> {
    let mut changes = Vec::new();
    let mut now = seconds(rng, 20..300);
    while now < until {
        let (begins, ends) = match rng.random_range(0..4) {
            0 => (Change::Holds, Some(Change::Mends)),
            1 => (Change::Parts, Some(Change::Mends)),
            2 => (Change::Dies, Some(Change::Starts)),
            _ => (Change::Restarts, None),
        };
        changes.push((now, begins));
        now += seconds(rng, 1..90);
        changes.extend(ends.map(|ends| (now, ends)));
        now += seconds(rng, 65..400);
    }
    changes
}

fn seconds(rng: &mut StdRng, range: Range<u32>) -> Duration {
    // Not on the second, so that changes fall between polls as well as on them.
    SECOND * rng.random_range(range) + Duration::from_millis(rng.random_range(0..1000))
}
