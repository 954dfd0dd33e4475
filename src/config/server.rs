//! `[server]`

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use bytesize::ByteSize;
use serde::Deserialize;

/// `[server]`: the gRPC service.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// The address to listen on. `::` takes IPv4 and IPv6.
    pub host: IpAddr,
    /// The port, 8000 as in pyflyte; 0 lets the system choose.
    pub port: u16,
    /// Threads that serve requests and run tasks; 0 is one for each core, and
    /// at least two.
    pub workers: usize,
    /// Connections open at once. At the limit the idlest is closed for a new
    /// one, because propeller opens one for each ListAgents.
    pub max_connections: usize,
    /// How long a new connection may take to say that it speaks HTTP/2.
    #[serde(with = "humantime_serde")]
    pub first_byte_timeout: Duration,
    /// How long a request about tasks may keep the service waiting for the next
    /// part of its body.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// After which time a connection is asked to leave, give or take a tenth,
    /// so that callers spread over replicas again; zero never asks.
    #[serde(with = "humantime_serde")]
    pub max_connection_age: Duration,
    /// How often an idle peer is asked whether it is still there.
    #[serde(with = "humantime_serde")]
    pub keepalive_interval: Duration,
    /// How long it may take to answer that.
    #[serde(with = "humantime_serde")]
    pub keepalive_timeout: Duration,
    /// Requests under way at once on one connection.
    pub max_concurrent_streams: u32,
    /// Requests about tasks under way at once on all connections; one more is
    /// refused. Health, reflection and ListAgents do not count.
    pub max_in_flight: usize,
    /// What a caller may send of one request before we have read it.
    pub stream_window: ByteSize,
    /// What a caller may send of all requests of one connection before we have
    /// read it.
    pub connection_window: ByteSize,
    /// The largest frame of HTTP/2 that is taken.
    pub max_frame_size: ByteSize,
    /// What is kept of one reply until its caller takes it.
    pub send_buffer: ByteSize,
    /// The largest message that is read.
    pub max_message_size: ByteSize,
    /// The largest head of a request that is read.
    pub max_header_size: ByteSize,
    /// Requests of one connection that were reset before they were looked at,
    /// and still wait for that; one more closes it. Callers whose deadlines pass
    /// while a CPU limit holds the service up reset many.
    pub max_pending_resets: usize,
    /// Requests of one connection that we reset for breaking the protocol; one
    /// more closes it.
    pub max_error_resets: usize,
    /// How long a stop goes on accepting while it is NOT_SERVING already, so
    /// that callers hear of it first.
    #[serde(with = "humantime_serde")]
    pub drain_grace: Duration,
    /// How long a stop then waits for requests under way and for open deletes.
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            port: 8000,
            workers: 0,
            max_connections: 10_000,
            first_byte_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            max_connection_age: Duration::from_secs(30 * 60),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_concurrent_streams: 256,
            max_in_flight: 16_384,
            stream_window: ByteSize::mib(1),
            connection_window: ByteSize::mib(1),
            max_frame_size: ByteSize::kib(16),
            send_buffer: ByteSize::kib(400),
            max_message_size: ByteSize::mib(4),
            max_header_size: ByteSize::kib(16),
            max_pending_resets: 1024,
            max_error_resets: 1024,
            drain_grace: Duration::from_secs(3),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
