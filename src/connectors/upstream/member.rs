//! One process or endpoint that answers for an upstream.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use arc_swap::ArcSwap;
use tonic::transport::Channel;

/// Where calls of an upstream can go: one of its workers, or its endpoint.
#[derive(Debug)]
pub(super) struct Member {
    state: ArcSwap<State>,
    in_flight: AtomicUsize,
}

/// Whether calls can be sent to a member.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// It is SERVING, as far as is known.
    Up(Channel),
    /// It is there but has not answered for a while: others go before it.
    Silent(Channel),
    /// There is nobody to call, for this reason.
    Down(String),
}

impl Member {
    /// A member that is not there yet.
    pub(super) fn new() -> Self {
        let state = State::Down("it is being started".to_owned());
        Self { state: ArcSwap::from_pointee(state), in_flight: AtomicUsize::new(0) }
    }

    /// Says how the member is. Calls under way on an older channel go on.
    pub(super) fn set(&self, state: State) {
        self.state.store(state.into());
    }

    /// How the member is.
    pub(super) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Calls under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Counts a call until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Member>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
