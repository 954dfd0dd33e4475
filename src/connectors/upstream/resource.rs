//! A resource as it comes over the wire.

use crate::{
    connector::{ConnectorError, Phase, Resource},
    wire::flyteidl::admin::{self, State},
};

/// The resource of a reply, whole. A service that knows no phases says the
/// older state; one that says neither says nothing.
pub(super) fn of_wire(resource: admin::Resource) -> Result<Resource, ConnectorError> {
    let phase = Phase::try_from(resource.phase).map_err(|_| {
        ConnectorError::internal(format!("the upstream answered phase {}", resource.phase))
    })?;
    let phase = match phase {
        Phase::Undefined => of_state(resource.state()),
        said => said,
    };
    Ok(Resource {
        phase,
        message: Some(resource.message).filter(|message| !message.is_empty()),
        log_links: resource.log_links,
        outputs: resource.outputs,
        custom_info: resource.custom_info,
        agent_error: resource.agent_error,
    })
}

fn of_state(state: State) -> Phase {
    match state {
        // Also what an unset state reads as, and that must not cost an attempt.
        State::RetryableFailure => Phase::Undefined,
        State::PermanentFailure => Phase::Failed,
        State::Pending => Phase::Initializing,
        State::Running => Phase::Running,
        State::Succeeded => Phase::Succeeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_state_counts_where_there_is_no_phase() {
        for (state, phase) in [
            (State::PermanentFailure, Phase::Failed),
            (State::Pending, Phase::Initializing),
            (State::Running, Phase::Running),
            (State::Succeeded, Phase::Succeeded),
            (State::RetryableFailure, Phase::Undefined),
        ] {
            let resource = admin::Resource { state: state.into(), ..Default::default() };
            assert_eq!(of_wire(resource).expect("known").phase, phase);
        }
        let both = admin::Resource {
            state: State::Running.into(),
            phase: Phase::Queued.into(),
            ..Default::default()
        };
        assert_eq!(of_wire(both).expect("known").phase, Phase::Queued);
    }

    #[test]
    fn a_phase_that_nobody_knows_is_an_error() {
        let resource = admin::Resource { phase: 99, ..Default::default() };
        let error = of_wire(resource).expect_err("unknown");
        assert!(error.message().contains("99"), "{error}");
    }
}
