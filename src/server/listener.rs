//! Listening sockets.

use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the system queues before they are accepted.
const BACKLOG: i32 = 1024;

/// A port that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose} ({setting}): {source}")]
pub struct BindError {
    address: SocketAddr,
    purpose: &'static str,
    setting: &'static str,
    source: std::io::Error,
}

impl BindError {
    /// True if somebody else listens on the port.
    pub(super) fn is_taken(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::AddrInUse
    }
}

/// Listens on an address. `::` takes IPv4 as well, whatever the system's
/// default is; where the system has no IPv6 at all, `0.0.0.0` stands in for it.
pub(super) fn bind(
    host: IpAddr,
    port: u16,
    purpose: &'static str,
    setting: &'static str,
) -> Result<TcpListener, BindError> {
    let address = SocketAddr::new(host, port);
    let result = listen(address).or_else(|error| match host {
        IpAddr::V6(v6) if v6.is_unspecified() && is_unsupported(&error) => {
            listen(SocketAddr::from(([0, 0, 0, 0], port)))
        }
        _ => Err(error),
    });
    result.map_err(|source| BindError { address, purpose, setting, source })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // So that a restart need not wait for connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_unsupported(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    // EAFNOSUPPORT has no kind of its own.
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::AddrNotAvailable)
        || error.raw_os_error() == Some(97)
}
