//! What no type can say of a setting.

mod upstream;

use std::{borrow::Cow, fmt::Debug, time::Duration};

use tokio::sync::Semaphore;
use url::Url;

use super::{Config, ConfigError, Server, Traces};

/// Far above what propeller takes (4 MiB), and below what gRPC's length can say.
const LARGEST_MESSAGE: u64 = 1 << 30;
/// What HTTP/2 can keep of one head without being a burden.
const LARGEST_HEADER: u64 = 1 << 20;
/// The largest window, and the largest frame, that HTTP/2 has.
const LARGEST_WINDOW: u64 = (1 << 31) - 1;
const LARGEST_FRAME: u64 = (1 << 24) - 1;
/// A year.
const LONGEST: Duration = Duration::from_secs(31_557_600);

impl Config {
    /// Checks every setting, and names the first that is not possible.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        let milli = Duration::from_millis(1);

        self.server.validate()?;
        self.check_ports()?;

        self.validate_admin()?;
        self.traces.validate()?;

        let tasks = &self.tasks;
        between("tasks.max_tasks", tasks.max_tasks, 1, usize::MAX)?;
        between("tasks.max_adoptions", tasks.max_adoptions, 1, Semaphore::MAX_PERMITS)?;
        between("tasks.max_waiting_creates", tasks.max_waiting_creates, 0, Semaphore::MAX_PERMITS)?;
        duration("tasks.orphan_after", tasks.orphan_after, second)?;
        duration("tasks.get_wait", tasks.get_wait, Duration::ZERO)?;
        duration("tasks.delete_wait", tasks.delete_wait, Duration::ZERO)?;
        duration("tasks.retention", tasks.retention, Duration::ZERO)?;
        duration("tasks.idle_timeout", tasks.idle_timeout, second)?;
        duration("tasks.persist_for", tasks.persist_for, Duration::ZERO)?;
        duration("tasks.give_up_after", tasks.give_up_after, second)?;
        duration("tasks.create_limit", tasks.create_limit, milli)?;
        duration("tasks.get_limit", tasks.get_limit, milli)?;
        duration("tasks.delete_limit", tasks.delete_limit, milli)?;
        duration("tasks.do_limit", tasks.do_limit, milli)?;
        if tasks.enforce_timeout && tasks.handle == super::HandleFormat::Plain {
            return Err(ConfigError::Value {
                key: "tasks.enforce_timeout".into(),
                value: "true".into(),
                allowed: "with tasks.handle = \"plain\" no handle carries the deadline over a \
                          restart; use \"envelope\", or leave timeouts to the caller"
                    .into(),
            });
        }

        let polling = &self.polling;
        for pause in &polling.first {
            duration("polling.first", **pause, milli)?;
        }
        duration("polling.interval", polling.interval, milli)?;
        duration("polling.max_backoff", polling.max_backoff, polling.interval)?;
        between("polling.max_in_flight", polling.max_in_flight, 1, usize::MAX)?;
        between("polling.jitter", polling.jitter, 0.0, 0.5)?;
        if let Some(interval) = self.sensor.interval {
            duration("sensor.interval", interval, milli)?;
        }
        duration("sensor.max_backoff", self.sensor.max_backoff, milli)?;
        let storage = &self.storage;
        duration("storage.share_for", storage.share_for, Duration::ZERO)?;
        duration("storage.request_timeout", storage.request_timeout, milli)?;
        duration("storage.connect_timeout", storage.connect_timeout, milli)?;
        between("storage.max_in_flight", storage.max_in_flight, 1, Semaphore::MAX_PERMITS)?;
        at_most("storage.max_listing", storage.max_listing, 1_000_000)?;
        storage.validate()?;
        let webhook = &self.webhook;
        duration("webhook.default_timeout", webhook.default_timeout, milli)?;
        between(
            "webhook.max_response_size",
            webhook.max_response_size.as_u64(),
            1,
            LARGEST_MESSAGE,
        )?;
        duration("webhook.pool_idle_timeout", webhook.pool_idle_timeout, Duration::ZERO)?;
        upstream::validate(&self.upstream)
    }

    fn check_ports(&self) -> Result<(), ConfigError> {
        let port = self.metrics.port;
        if port == 0 || port != self.server.port {
            return Ok(());
        }
        Err(ConfigError::Value {
            key: "metrics.port".into(),
            value: port.to_string(),
            allowed: "it is server.port too; give each a port of its own".into(),
        })
    }
}

impl Traces {
    fn validate(&self) -> Result<(), ConfigError> {
        if let Some(endpoint) = &self.endpoint {
            let url = Url::parse(endpoint).ok();
            if !url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return Err(ConfigError::Value {
                    key: "traces.endpoint".into(),
                    value: format!("{endpoint:?}"),
                    allowed: "it is the URL of a collector, such as \"http://localhost:4317\""
                        .into(),
                });
            }
        }
        if let Some(ratio) = self.sample_ratio {
            between("traces.sample_ratio", ratio, 0.0, 1.0)?;
        }
        if let Some(timeout) = self.timeout {
            duration("traces.timeout", timeout, Duration::from_millis(1))?;
        }
        duration("traces.stop_timeout", self.stop_timeout, Duration::ZERO)
    }
}

impl Server {
    fn validate(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        let milli = Duration::from_millis(1);
        at_most("server.workers", self.workers, 1024)?;
        between("server.max_connections", self.max_connections, 1, 1_000_000)?;
        duration("server.first_byte_timeout", self.first_byte_timeout, milli)?;
        duration("server.body_timeout", self.body_timeout, milli)?;
        if !self.max_connection_age.is_zero() {
            duration("server.max_connection_age", self.max_connection_age, second)?;
        }
        duration("server.keepalive_interval", self.keepalive_interval, second)?;
        duration("server.keepalive_timeout", self.keepalive_timeout, second)?;
        between("server.max_concurrent_streams", self.max_concurrent_streams, 1, 100_000)?;
        between("server.max_in_flight", self.max_in_flight, 1, usize::MAX)?;
        between("server.stream_window", self.stream_window.as_u64(), 1024, LARGEST_WINDOW)?;
        between("server.connection_window", self.connection_window.as_u64(), 1024, LARGEST_WINDOW)?;
        between("server.max_frame_size", self.max_frame_size.as_u64(), 1 << 14, LARGEST_FRAME)?;
        between("server.send_buffer", self.send_buffer.as_u64(), 1024, LARGEST_WINDOW)?;
        let message = self.max_message_size.as_u64();
        between("server.max_message_size", message, 1024, LARGEST_MESSAGE)?;
        between("server.max_header_size", self.max_header_size.as_u64(), 1024, LARGEST_HEADER)?;
        between("server.max_pending_resets", self.max_pending_resets, 1, 100_000)?;
        between("server.max_error_resets", self.max_error_resets, 1, 100_000)?;
        duration("server.drain_grace", self.drain_grace, Duration::ZERO)?;
        duration("server.drain_timeout", self.drain_timeout, Duration::ZERO)
    }
}

impl Config {
    fn validate_admin(&self) -> Result<(), ConfigError> {
        let admin = &self.admin;
        if !admin.host.is_loopback() {
            return Err(ConfigError::Value {
                key: "admin.host".into(),
                value: format!("\"{}\"", admin.host),
                allowed: "it must be a loopback address such as \"127.0.0.1\", because the admin \
                          service tells the names of executions and the texts of errors to \
                          whoever asks; reach it from elsewhere through a port-forward"
                    .into(),
            });
        }
        let others = [("server.port", self.server.port), ("metrics.port", self.metrics.port)];
        let taken = others.into_iter().find(|(_, port)| *port != 0 && Some(*port) == admin.port);
        match taken {
            Some((other, port)) if admin.enabled => Err(ConfigError::Value {
                key: "admin.port".into(),
                value: port.to_string(),
                allowed: format!("it is {other} too; give each a port of its own"),
            }),
            _ => Ok(()),
        }
    }
}

fn at_most(key: &'static str, value: usize, max: usize) -> Result<(), ConfigError> {
    between(key, value, 0, max)
}

fn between<T: PartialOrd + Debug>(
    key: impl Into<Cow<'static, str>>,
    value: T,
    min: T,
    max: T,
) -> Result<(), ConfigError> {
    if min <= value && value <= max {
        return Ok(());
    }
    Err(ConfigError::Value {
        key: key.into(),
        value: format!("{value:?}"),
        allowed: format!("it goes from {min:?} to {max:?}"),
    })
}

fn duration(
    key: impl Into<Cow<'static, str>>,
    value: Duration,
    min: Duration,
) -> Result<(), ConfigError> {
    if (min..=LONGEST).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Value {
        key: key.into(),
        value: format!("\"{}\"", humantime::format_duration(value)),
        allowed: format!(
            "it goes from \"{}\" to \"{}\"",
            humantime::format_duration(min),
            humantime::format_duration(LONGEST),
        ),
    })
}
