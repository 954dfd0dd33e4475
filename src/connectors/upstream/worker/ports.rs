//! Free ports for a worker.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Mutex, PoisonError},
};

/// Ports of workers that live. A port that was just given out is free for the
/// system until its worker listens there, and gRPC in Python shares a port
/// rather than fail.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// How often another port is asked for when one is given out already.
const TRIES: usize = 100;

/// A port of the loopback interface that no other worker gets while this lives.
#[derive(Debug)]
pub(super) struct Port(u16);

impl Port {
    /// One that was free just now; whoever is quick can still take it.
    pub(super) fn free() -> io::Result<Self> {
        for _ in 0..TRIES {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            if TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
                return Ok(Self(port));
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    pub(super) fn number(&self) -> u16 {
        self.0
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0).into()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}
