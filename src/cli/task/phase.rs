//! The phase of a resource, and what it means for a script.

use std::process::ExitCode;

use crate::{
    connector::Phase,
    wire::flyteidl::admin::{Resource, State},
};

/// The exit status by phase, for the help of the commands that have it.
pub(super) const EXIT_STATUS: &str = "\
Exit status: 0 SUCCEEDED, 10 FAILED, 11 RETRYABLE_FAILED, 12 ABORTED; \
1 if the call failed, 2 if the arguments make no sense";

/// The phase that propeller would read: where a service sets none, its legacy
/// state counts. UNDEFINED is a phase that this version does not know.
pub(super) fn of(resource: &Resource) -> Phase {
    match Phase::try_from(resource.phase) {
        Ok(Phase::Undefined) => match resource.state() {
            State::RetryableFailure => Phase::RetryableFailed,
            State::PermanentFailure => Phase::Failed,
            State::Pending => Phase::Initializing,
            State::Running => Phase::Running,
            State::Succeeded => Phase::Succeeded,
        },
        Ok(phase) => phase,
        Err(_) => Phase::Undefined,
    }
}

/// Reads the name of a phase, in any case.
pub(super) fn parse(text: &str) -> Result<Phase, String> {
    let phase = Phase::from_str_name(&text.to_uppercase());
    phase.filter(|phase| *phase != Phase::Undefined).ok_or_else(|| {
        let names: Vec<_> = (1..)
            .map_while(|number| Phase::try_from(number).ok())
            .map(|phase| phase.as_str_name())
            .collect();
        format!("there is no such phase; there are {}", names.join(", "))
    })
}

/// The exit status for a terminal phase, `None` for any other.
pub(super) fn exit_code(phase: Phase) -> Option<ExitCode> {
    match phase {
        Phase::Succeeded => Some(ExitCode::SUCCESS),
        Phase::Failed => Some(ExitCode::from(10)),
        Phase::RetryableFailed => Some(ExitCode::from(11)),
        Phase::Aborted => Some(ExitCode::from(12)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legacy_state_counts_where_no_phase_is_set() {
        let of = |phase: i32, state: State| {
            super::of(&Resource { phase, state: state.into(), ..Resource::default() })
        };
        assert_eq!(of(0, State::Running), Phase::Running);
        assert_eq!(of(0, State::RetryableFailure), Phase::RetryableFailed);
        assert_eq!(of(3, State::RetryableFailure), Phase::Succeeded);
        assert_eq!(of(99, State::Succeeded), Phase::Undefined);
    }

    #[test]
    fn a_phase_is_read_in_any_case_and_an_unknown_one_names_all() {
        assert_eq!(parse("running"), Ok(Phase::Running));
        assert_eq!(parse("RETRYABLE_FAILED"), Ok(Phase::RetryableFailed));
        for text in ["UNDEFINED", "done", ""] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("QUEUED, RUNNING, SUCCEEDED"), "{error}");
        }
    }

    #[test]
    fn every_terminal_phase_has_an_exit_status_and_no_other() {
        for number in 0..9 {
            let phase = Phase::try_from(number).expect("a phase");
            assert_eq!(exit_code(phase).is_some(), phase.is_terminal(), "{phase:?}");
        }
    }
}
