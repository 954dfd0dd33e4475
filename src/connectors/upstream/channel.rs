//! Connections to an upstream.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The largest head of a reply: flytekit puts a traceback with the error's text
/// in it, percent-encoded, and a head that is too large is an error without any
/// text.
const LARGEST_HEAD: u32 = 1 << 20;

/// A connection to a worker on this machine.
pub(super) fn to_worker(port: u16) -> Result<Channel, tonic::transport::Error> {
    Ok(to(Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?))
}

/// A connection that is made with the first call, and again after a loss.
///
/// Without keepalive: gRPC in Python closes a connection on which pings come
/// while it sends nothing, which is what it does while a connector blocks its
/// event loop. Whether somebody is there is asked by calls.
pub(super) fn to(endpoint: Endpoint) -> Channel {
    endpoint
        .connect_timeout(CONNECT_LIMIT)
        .tcp_nodelay(true)
        .http2_max_header_list_size(LARGEST_HEAD)
        .connect_lazy()
}
