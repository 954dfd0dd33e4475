//! Many sensors that are polled for a time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::sleep;

use crate::{
    lateness::Lateness,
    load::{Creates, Until, closed},
    messages,
    report::{Report, Target::AtMost},
    service::Service,
};

/// The quick first polls come after 1, 2 and 4 s.
const FIRST_POLLS: Duration = Duration::from_secs(8);
/// 8 GiB for a million tasks.
const MOST_MEMORY: f64 = 8.0 * 1024.0 * 1024.0 / 1e6;

/// What so many sensors cost.
pub struct Polled {
    pub handles: Vec<Bytes>,
    /// Creates in a second.
    pub rate: f64,
    pub lateness: Lateness,
    /// How long polls were measured, in seconds.
    pub seconds: f64,
    /// KiB for each sensor.
    pub memory: f64,
    /// Seconds of CPU in a second.
    pub cores: f64,
}

impl Polled {
    /// Creates so many sensors, each on the path of its number, and has them
    /// polled for a time.
    pub async fn of(
        service: &Service,
        count: usize,
        path: fn(usize) -> String,
        time: Duration,
        from_now_on: impl AsyncFnOnce(),
    ) -> Self {
        let creates = Creates::new(move |number| messages::file_sensor(&path(number)));
        // What all share is paid for first.
        closed(service, &creates, 2, 16, Until::Count(1)).await;
        let before = service.usage();
        let created = closed(service, &creates, 2, 16, Until::Count(count)).await;
        sleep(FIRST_POLLS.min(4 * time)).await;

        from_now_on().await;
        let from = (Lateness::read(&service.scrape().await), service.usage(), Instant::now());
        sleep(time).await;
        let used = service.usage() - from.1;
        let seconds = from.2.elapsed().as_secs_f64();
        Self {
            handles: creates.take(),
            rate: created.rate(),
            lateness: Lateness::read(&service.scrape().await) - from.0,
            seconds,
            memory: (service.usage() - before).resident / 1024.0 / count as f64,
            cores: used.cpu.as_secs_f64() / seconds,
        }
    }

    /// Tells the figures.
    pub fn tell(&self, what: &str, report: &mut Report) {
        let of = |figure| format!("{what}: {figure}");
        report.targeted(of("memory"), "KiB each", vec![self.memory], AtMost(MOST_MEMORY));
        let late = |quantile| self.lateness.quantile(quantile) * 1e3;
        report.figure(of("lateness of a poll, p50"), "ms", late(0.5));
        report.targeted(of("lateness of a poll, p99"), "ms", vec![late(0.99)], AtMost(250.0));
        report.figure(of("lateness of a poll, at most"), "ms", late(1.0));
        report.figure(of("CPU while nobody asks"), "cores", self.cores);
        let polls = self.lateness.count() as f64;
        report.figure(of("CPU for a poll"), "us", self.cores * 1e6 * self.seconds / polls);
    }
}
