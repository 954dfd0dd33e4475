//! What the polls of a task must lead to: the promises of the section "Poll"
//! of the design, written down a second time, as plainly as possible.

use std::time::Duration;

use flightdeck::connector::{ErrorClass, Phase};

use super::{
    backend::{Call, Outcome},
    moment::Moment,
};

const PERSIST_FOR: Duration = Duration::from_secs(5 * 60);
const GIVE_UP_AFTER: Duration = Duration::from_secs(3600);

/// This many panics in a row are too many, and fewer altogether are not.
const PANICS: usize = 6;

/// What a Get may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub phase: Phase,
    /// The phase is an end that the backend did not report.
    pub decided: bool,
    /// The polls were such that the task may have been ended by now, or not.
    pub or_given_up: bool,
}

/// The state of a task whose polls began at this moment in this phase.
pub fn expected(began: Moment, initial: Phase, polls: &[Call]) -> Expected {
    let mut phase = initial;
    let mut success = began;
    let mut refused: Option<(ErrorClass, Moment)> = None;
    let (mut panics, mut in_a_row) = (0, 0);
    let mut or_given_up = false;
    let decided = |phase| Expected { phase, decided: true, or_given_up: false };
    for &Call { at, outcome } in polls {
        in_a_row = if outcome == Outcome::Panicked { in_a_row + 1 } else { 0 };
        match outcome {
            Outcome::Found(found) => {
                phase = found;
                (success, refused) = (at, None);
                if found.is_terminal() {
                    return Expected { phase, decided: false, or_given_up };
                }
                continue;
            }
            Outcome::Failed(ErrorClass::Permanent) => return decided(Phase::Failed),
            Outcome::Failed(
                class @ (ErrorClass::Denied | ErrorClass::Gone | ErrorClass::Internal),
            ) => {
                let since = match refused {
                    Some((same, since)) if same == class => since,
                    _ => at,
                };
                refused = Some((class, since));
                if at - since >= PERSIST_FOR {
                    return decided(match class {
                        ErrorClass::Denied => Phase::Failed,
                        _ => Phase::RetryableFailed,
                    });
                }
            }
            Outcome::Failed(ErrorClass::Transient) | Outcome::TimedOut => {}
            Outcome::Panicked => {
                panics += 1;
                if in_a_row >= PANICS {
                    return decided(Phase::RetryableFailed);
                }
                // Restarts are budgeted by the minute, too.
                or_given_up |= panics >= PANICS || at - success >= GIVE_UP_AFTER;
                continue;
            }
        }
        if at - success >= GIVE_UP_AFTER {
            return decided(Phase::RetryableFailed);
        }
    }
    Expected { phase, decided: false, or_given_up }
}

/// The state of a sync task: its one run is its end.
pub fn expected_of_run(run: Option<&Call>) -> Expected {
    let (phase, decided) = match run.map(|run| run.outcome) {
        None => (Phase::Initializing, false),
        Some(Outcome::Found(phase)) => (phase, false),
        Some(Outcome::TimedOut) => (Phase::RetryableFailed, false),
        Some(Outcome::Failed(_) | Outcome::Panicked) => (Phase::RetryableFailed, true),
    };
    Expected { phase, decided, or_given_up: false }
}
