//! What the service spends on a call, over what a bare tonic server spends on
//! one with the same messages.
//!
//! Both run at once and are asked in turn by the same client, so that a busy
//! machine is busy for both.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use crate::{
    load::{Calls, Closed, Creates, Until, closed},
    messages,
    process::Usage,
    report::Report,
    service::Service,
};

/// The configuration with no poll but the first while it is measured, and no
/// tombstones.
pub const POLLED_ONCE: &str = "tasks.retention = \"0s\"\npolling.first = []\n\
                               polling.interval = \"1h\"\npolling.max_backoff = \"1h\"\n";

/// How calls come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub name: &'static str,
    pub connections: usize,
    pub streams: usize,
}

pub const SIXTEEN: Shape = Shape { name: "16 streams a connection", connections: 2, streams: 16 };
pub const ONE: Shape = Shape { name: "1 stream a connection", connections: 16, streams: 1 };

/// What was done, and what the service used for it.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    done: Closed,
    usage: Usage,
}

impl Cost {
    /// Of such calls, and of what they leave to be done for so long afterwards.
    pub async fn of(
        service: &Service,
        calls: &impl Calls,
        shape: Shape,
        until: Until,
        afterwards: Duration,
    ) -> Self {
        let before = service.usage();
        let done = closed(service, calls, shape.connections, shape.streams, until).await;
        sleep(afterwards).await;
        Self { done, usage: service.usage() - before }
    }

    /// Microseconds of CPU for a call.
    pub fn cpu(&self) -> f64 {
        self.usage.cpu.as_secs_f64() * 1e6 / self.done.calls as f64
    }

    /// Calls in a second.
    pub fn rate(&self) -> f64 {
        self.done.rate()
    }

    /// Page faults for a call.
    pub fn faults(&self) -> f64 {
        self.usage.faults as f64 / self.done.calls as f64
    }

    /// KiB that a call leaves in memory.
    pub fn memory(&self) -> f64 {
        self.usage.resident / 1024.0 / self.done.calls as f64
    }
}

/// Rounds of the same measurement of the floor and of the service.
#[derive(Debug, Default)]
pub struct Rounds {
    floor: Vec<f64>,
    ours: Vec<f64>,
}

impl Rounds {
    /// Such calls of the floor and of the service, in turn for so long each.
    /// The first round is for warming up.
    pub async fn of(
        [floor, service]: &[Service; 2],
        [bare, ours]: [&impl Calls; 2],
        time: Duration,
        rounds: usize,
    ) -> Self {
        let until = Until::Passed(time);
        let mut measured = Self::default();
        for round in 0..=rounds {
            let bare = Cost::of(floor, bare, SIXTEEN, until, Duration::ZERO).await;
            let ours = Cost::of(service, ours, SIXTEEN, until, Duration::ZERO).await;
            if round > 0 {
                measured.push(bare, ours);
            }
        }
        measured
    }

    pub fn push(&mut self, floor: Cost, ours: Cost) {
        self.floor.push(floor.cpu());
        self.ours.push(ours.cpu());
    }

    /// What each round of ours was over the floor's.
    pub fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours / floor).collect()
    }

    /// Tells the ratio, and the absolute costs.
    pub fn tell_all(self, call: &str, report: &mut Report) {
        report.median(call, "x floor", self.ratios());
        self.tell(call, report);
    }

    /// Tells the absolute costs.
    pub fn tell(self, call: &str, report: &mut Report) {
        report.median(format!("{call}: CPU of the floor"), "us", self.floor);
        report.median(format!("{call}: CPU"), "us", self.ours);
    }
}

/// Creates sensors that wait for ever: their handles.
pub async fn sensors(service: &Service, count: usize) -> Vec<Bytes> {
    let creates = waiting();
    closed(service, &creates, 2, 16, Until::Count(count)).await;
    creates.take()
}

/// Creates of sensors that wait for ever, in a folder that is there.
pub fn waiting() -> Creates {
    Creates::new(|number| messages::file_sensor(&nowhere(number)))
}

/// A file that is not there.
pub fn nowhere(number: usize) -> String {
    format!("{}/{number}", env!("CARGO_TARGET_TMPDIR"))
}
