//! What may happen, and how often.

use std::time::Duration;

use proptest::{
    prelude::*,
    sample::{Index, select},
};
use proptest_state_machine::ReferenceStateMachine;

use super::{
    attempt::{Attempt, Kind},
    backend::{Fault, Operation},
};

/// One step of a case.
#[derive(Debug, Clone)]
pub enum Transition {
    /// A CreateTask or ExecuteTaskSync, by one caller or two at once, who leave
    /// after this time.
    Create { attempt: Attempt, callers: u8, patience: Duration },
    /// A GetTask by a caller who leaves after this time.
    Get { attempt: Attempt, patience: Duration },
    /// A DeleteTask by a caller who leaves after this time.
    Delete { attempt: Attempt, patience: Duration },
    /// An operation of the backend begins to fail.
    Fails { operation: Operation, fault: Fault },
    /// Everything on the backend works again.
    Recovers,
    /// The jobs of an attempt end.
    Finishes { attempt: Attempt, succeeded: bool },
    /// The backend loses the jobs of an attempt.
    Loses { attempt: Attempt },
    /// Time passes.
    Passes(Duration),
    /// The process is killed and started again.
    Restarts,
}

/// What the generator remembers, so that what it makes is worth doing.
#[derive(Debug, Clone)]
pub struct Past {
    /// Of the process's randomness.
    pub seed: u64,
    created: Vec<Attempt>,
}

/// The callers and the backend, as they may behave.
pub struct Callers;

impl ReferenceStateMachine for Callers {
    type State = Past;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Past> {
        any::<u64>().prop_map(|seed| Past { seed, created: Vec::new() }).boxed()
    }

    fn transitions(past: &Past) -> BoxedStrategy<Transition> {
        if past.created.is_empty() {
            return creates(new_attempt().boxed()).boxed();
        }
        // Half of what happens, happens to one attempt: much of what is promised
        // shows only when the same one is asked for again.
        let latest = past.created.last().copied();
        let known = || {
            prop_oneof![
                1 => select(past.created.clone()),
                1 => select(latest.into_iter().collect::<Vec<_>>()),
            ]
        };
        let next = known().prop_map(|attempt| Attempt { number: attempt.number + 1, ..attempt });
        prop_oneof![
            4 => creates(new_attempt().boxed()),
            4 => creates(known().boxed()),
            3 => creates(next.boxed()),
            12 => (known(), patience())
                .prop_map(|(attempt, patience)| Transition::Get { attempt, patience }),
            5 => (known(), patience())
                .prop_map(|(attempt, patience)| Transition::Delete { attempt, patience }),
            8 => fails(),
            5 => Just(Transition::Recovers),
            3 => (known(), any::<bool>())
                .prop_map(|(attempt, succeeded)| Transition::Finishes { attempt, succeeded }),
            1 => known().prop_map(|attempt| Transition::Loses { attempt }),
            12 => passes(),
            2 => Just(Transition::Restarts),
        ]
        .boxed()
    }

    fn apply(mut past: Past, transition: &Transition) -> Past {
        if let Transition::Create { attempt, .. } = transition
            && !past.created.contains(attempt)
        {
            past.created.push(*attempt);
        }
        past
    }

    fn preconditions(past: &Past, transition: &Transition) -> bool {
        match transition {
            Transition::Get { attempt, .. }
            | Transition::Delete { attempt, .. }
            | Transition::Finishes { attempt, .. }
            | Transition::Loses { attempt } => past.created.contains(attempt),
            _ => true,
        }
    }
}

fn creates(attempt: BoxedStrategy<Attempt>) -> impl Strategy<Value = Transition> {
    (attempt, 1..=2_u8, patience()).prop_map(|(attempt, callers, patience)| Transition::Create {
        attempt,
        callers,
        patience,
    })
}

fn new_attempt() -> impl Strategy<Value = Attempt> {
    let kind = prop_oneof![
        4 => Just(Kind::Job),
        1 => Just(Kind::Call),
        1 => Just(Kind::Execute),
    ];
    (kind, 0..3_u8).prop_map(|(kind, parent)| Attempt { kind, parent, number: 0 })
}

/// Propeller's deadline, a caller who leaves early, one who has time.
fn patience() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => Just(Duration::from_secs(10)),
        2 => (1..1500_u64).prop_map(Duration::from_millis),
        1 => Just(Duration::from_secs(400)),
    ]
}

fn fails() -> impl Strategy<Value = Transition> {
    use Operation::{Create, Delete, Do, Get};
    let of = |operation: Operation, faults: &[Fault]| {
        let faults = faults.to_vec();
        any::<Index>()
            .prop_map(move |index| Transition::Fails { operation, fault: *index.get(&faults) })
    };
    let slow = |seconds| Fault::Slow(Duration::from_secs(seconds));
    use Fault::{Denied, Gone, Hangs, Panics, Permanent, Transient, Unreached};
    prop_oneof![
        2 => of(Create, &[Transient, Unreached, Permanent, Panics, Hangs, slow(5), slow(20)]),
        4 => of(Get, &[Transient, Denied, Gone, Permanent, Panics, Hangs, slow(5)]),
        3 => of(Delete, &[Transient, Denied, Permanent, Panics, Hangs, slow(5)]),
        1 => of(Do, &[Transient, Permanent, Panics, Hangs, slow(5), slow(20)]),
    ]
}

fn passes() -> impl Strategy<Value = Transition> {
    prop_oneof![
        4 => 1..10_u64,
        4 => 10..120_u64,
        3 => 120..900_u64,
        1 => 900..4_000_u64,
        1 => 4_000..10_800_u64,
    ]
    .prop_map(|seconds| Transition::Passes(Duration::from_secs(seconds)))
}
