//! An upstream that runs elsewhere.

use std::sync::Arc;

use tonic::transport::Endpoint;

use super::{
    channel,
    member::{Member, State},
};

/// The one member of such an upstream, with its connection.
#[derive(Debug)]
pub(super) struct Elsewhere {
    member: Arc<Member>,
    endpoint: Endpoint,
}

impl Elsewhere {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        let elsewhere = Self { member: Arc::new(Member::new()), endpoint };
        elsewhere.connect();
        elsewhere
    }

    pub(super) fn member(&self) -> Arc<Member> {
        self.member.clone()
    }

    /// Takes a new connection for the calls to come. One that hears nothing any
    /// more (a machine is gone, a firewall forgot it) would hold them for as
    /// long as TCP tries.
    pub(super) fn connect(&self) {
        self.member.set(State::Up(channel::to(self.endpoint.clone())));
    }
}
