//! The configuration: one struct a component, read from a TOML file, the
//! environment and flags in rising order, and validated in full before
//! anything binds a port.
//!
//! In the environment a setting is `FLIGHTDECK_` and its path with `__`
//! between the levels: `FLIGHTDECK_TASKS__RETENTION=5m`.

mod address;
mod load;
mod log;
mod secret;
mod sensor;
mod server;
mod storage;
mod traces;
mod upstream;
mod validate;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZero,
    time::Duration,
};

use bytesize::ByteSize;
use serde::Deserialize;

pub use address::{Address, AddressError};
pub use load::{ConfigError, Flags};
pub use log::{Log, LogFormat};
pub use secret::Secret;
pub use sensor::Sensor;
pub use server::Server;
pub use storage::{AddressingStyle, Azure, Gcs, S3, Storage};
pub use traces::{TraceProtocol, Traces};
pub use upstream::Upstream;

/// All settings of the service.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The gRPC service.
    pub server: Server,
    /// The Prometheus endpoint.
    pub metrics: Metrics,
    /// OpenTelemetry's traces.
    pub traces: Traces,
    /// The log.
    pub log: Log,
    /// The look inside.
    pub admin: Admin,
    /// What a task's actor guarantees.
    pub tasks: Tasks,
    /// The rhythm of polls.
    pub polling: Polling,
    /// The sensor connector.
    pub sensor: Sensor,
    /// How sensors reach object stores and web servers.
    pub storage: Storage,
    /// The webhook connector.
    pub webhook: Webhook,
    /// Connector services that tasks are forwarded to, in the order in which
    /// they are asked whether a task is theirs.
    pub upstream: Vec<Upstream>,
}

/// `[metrics]`: the Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// The address to listen on. `::` takes IPv4 and IPv6.
    pub host: IpAddr,
    /// The port, 9090 as in pyflyte; 0 lets the system choose.
    pub port: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { host: IpAddr::V6(Ipv6Addr::UNSPECIFIED), port: 9090 }
    }
}

/// `[admin]`: the admin service, which `flightdeck task list` asks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Whether there is one.
    pub enabled: bool,
    /// The address to listen on, a loopback address.
    pub host: IpAddr,
    /// The port; 0 lets the system choose. Without one it is
    /// [`Admin::USUAL_PORT`] if that is free, else there is no admin service:
    /// two services on one machine must not need a setting for it.
    pub port: Option<u16>,
}

impl Admin {
    /// The port that is tried where none is set.
    pub const USUAL_PORT: u16 = 8001;
}

impl Default for Admin {
    fn default() -> Self {
        Self { enabled: true, host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: None }
    }
}

/// What a Create hands out as `resource_meta`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum HandleFormat {
    /// Flightdeck's handle: the meta with the task's id, key and deadline.
    #[default]
    Envelope,
    /// The connector's meta alone, which flytekit's service can read too.
    Plain,
}

impl TryFrom<String> for HandleFormat {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "envelope" => Ok(Self::Envelope),
            "plain" => Ok(Self::Plain),
            _ => Err(format!(
                "{name:?} is no format of handles; there are \"envelope\" and \"plain\""
            )),
        }
    }
}

/// `[tasks]`: what a task's actor guarantees.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tasks {
    /// What a Create hands out.
    pub handle: HandleFormat,
    /// Tasks held at once; a Create beyond waits for room, nothing else does.
    pub max_tasks: usize,
    /// Creates that wait for room at once; one beyond is refused.
    pub max_waiting_creates: usize,
    /// Adopted tasks whose first poll is not over; a Get of one more answers
    /// RUNNING without an actor.
    pub max_adoptions: usize,
    /// The results of sync tasks that are kept for a repeated call, in all.
    pub max_result_size: ByteSize,
    /// How long a Get waits for a task's first poll.
    #[serde(with = "humantime_serde")]
    pub get_wait: Duration,
    /// How long a Delete waits for the backend.
    #[serde(with = "humantime_serde")]
    pub delete_wait: Duration,
    /// How long a job is kept whose Create lost its caller.
    #[serde(with = "humantime_serde")]
    pub orphan_after: Duration,
    /// How long a finished task stays after its end was told.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// How long a task stays that nobody asks about.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// Ends tasks at the timeout of their template, counted from creation.
    pub enforce_timeout: bool,
    /// How long 'denied' and 'gone' must persist before they end a task.
    #[serde(with = "humantime_serde")]
    pub persist_for: Duration,
    /// How long a task goes on without a successful poll.
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
    /// The limit of a connector's `create`.
    #[serde(with = "humantime_serde")]
    pub create_limit: Duration,
    /// The limit of a connector's `get`, `get_logs` and `get_metrics`.
    #[serde(with = "humantime_serde")]
    pub get_limit: Duration,
    /// The limit of a connector's `delete`.
    #[serde(with = "humantime_serde")]
    pub delete_limit: Duration,
    /// The limit of a sync connector's `do`.
    #[serde(with = "humantime_serde")]
    pub do_limit: Duration,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            handle: HandleFormat::Envelope,
            max_tasks: 1_000_000,
            max_waiting_creates: 1000,
            max_adoptions: 10_000,
            max_result_size: ByteSize::mib(64),
            get_wait: Duration::from_secs(2),
            delete_wait: Duration::from_secs(2),
            orphan_after: Duration::from_secs(5 * 60),
            retention: Duration::from_secs(15 * 60),
            idle_timeout: Duration::from_secs(2 * 3600),
            enforce_timeout: false,
            persist_for: Duration::from_secs(5 * 60),
            give_up_after: Duration::from_secs(3600),
            create_limit: Duration::from_secs(60),
            get_limit: Duration::from_secs(30),
            delete_limit: Duration::from_secs(30),
            do_limit: Duration::from_secs(5 * 60),
        }
    }
}

/// `[polling]`: the rhythm of polls, where a connector has none of its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Polling {
    /// Pauses after the first polls, in words: `["1s", "2s", "4s"]`.
    pub first: Vec<humantime_serde::Serde<Duration>>,
    /// The pause between polls after those.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// By how much a pause is varied, as a part of it, from 0 to 0.5.
    pub jitter: f64,
    /// The longest pause that failures in a row lead to.
    #[serde(with = "humantime_serde")]
    pub max_backoff: Duration,
    /// Polls in flight for each connector; one project's tasks of one type take
    /// half of them at most.
    pub max_in_flight: usize,
    /// Polls that begin in a second for each connector; no limit if absent.
    pub rate: Option<NonZero<u32>>,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            first: [1, 2, 4].map(|s| Duration::from_secs(s).into()).to_vec(),
            interval: Duration::from_secs(10),
            jitter: 0.1,
            max_backoff: Duration::from_secs(120),
            max_in_flight: 1000,
            rate: None,
        }
    }
}

/// `[webhook]`: the webhook connector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// The `User-Agent` of requests that bring none.
    pub user_agent: String,
    /// The `timeout_sec` of templates that have none: how long each step of an
    /// exchange may take (until the head of the response; each read of its
    /// body). The whole is bounded by `tasks.do_limit`.
    #[serde(with = "humantime_serde")]
    pub default_timeout: Duration,
    /// The largest response: as sent, as text, and with what else is in the
    /// outputs. The reply to the caller holds it, and propeller takes 4 MiB.
    pub max_response_size: ByteSize,
    /// How long an idle connection is kept for the next request.
    #[serde(with = "humantime_serde")]
    pub pool_idle_timeout: Duration,
    /// How many idle connections to one host are kept.
    pub max_idle_per_host: usize,
}

impl Default for Webhook {
    /// The limits of flytekit and httpx, where these have any.
    fn default() -> Self {
        Self {
            user_agent: concat!("flightdeck/", env!("CARGO_PKG_VERSION")).to_owned(),
            default_timeout: Duration::from_secs(10),
            max_response_size: ByteSize::mb(4),
            pool_idle_timeout: Duration::from_secs(5),
            max_idle_per_host: 20,
        }
    }
}
