//! Many sensors that are polled for a time while nobody asks.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    lateness::Lateness,
    load::{Calls, Until, closed},
    process::Usage,
    report::{
        Report,
        Target::{self, AtMost},
    },
    scrape::running,
    service::Service,
};

/// The quick first polls come after 1, 2 and 4 s.
const FIRST_POLLS: Duration = Duration::from_secs(8);
/// 8 GiB for a million tasks, in KiB for each. Of a few tasks it is what all
/// share that counts, so the target is for these and more.
pub const MOST_MEMORY: f64 = 8.0 * 1024.0 * 1024.0 / 1e6;
const MEMORY_TARGET_FROM: usize = 100_000;
/// How late the latest hundredth of polls may be, in milliseconds, of so many.
pub const MOST_LATENESS: f64 = 250.0;
const LATENESS_TARGET_AT: usize = 100_000;

/// Where the memory of so many sensors should be, in KiB for each.
pub fn memory_target(count: usize) -> Option<Target> {
    (count >= MEMORY_TARGET_FROM).then_some(AtMost(MOST_MEMORY))
}

/// Has the first of such calls pay for what all share: what the service has
/// used by then.
pub async fn primed(service: &Service, calls: &impl Calls) -> Usage {
    closed(service, calls, 1, 1, Until::Count(1)).await;
    service.usage()
}

/// What sensors cost while nobody asks.
pub struct Polled {
    count: usize,
    pub lateness: Lateness,
    /// How long polls were measured, in seconds.
    pub seconds: f64,
    /// KiB for each sensor.
    pub memory: f64,
    /// Seconds of CPU in a second.
    pub cores: f64,
}

impl Polled {
    /// Of so many sensors, for a time after their first polls. Without them the
    /// service used as much as is said.
    pub async fn of(
        service: &Service,
        count: usize,
        without: Usage,
        time: Duration,
        from_now_on: impl AsyncFnOnce(),
    ) -> Self {
        sleep(FIRST_POLLS.min(4 * time)).await;
        from_now_on().await;
        let from = (Lateness::read(&service.scrape().await), service.usage(), Instant::now());
        sleep(time).await;
        let used = service.usage();
        let seconds = from.2.elapsed().as_secs_f64();
        let scrape = service.scrape().await;
        let live = running(&scrape);
        assert!(live >= count as f64, "{live} sensors are RUNNING, not {count}");
        Self {
            count,
            lateness: Lateness::read(&scrape) - from.0,
            seconds,
            memory: (used - without).resident / 1024.0 / count as f64,
            cores: (used - from.1).cpu.as_secs_f64() / seconds,
        }
    }

    /// How late polls were that are not among the latest, in milliseconds.
    pub fn late(&self, quantile: f64) -> f64 {
        self.lateness.quantile(quantile) * 1e3
    }

    /// Tells the figures.
    pub fn tell(&self, what: &str, report: &mut Report) {
        let of = |figure| format!("{what}: {figure}");
        report.aimed(of("memory"), "KiB each", self.memory, memory_target(self.count));
        report.figure(of("lateness of a poll, p50"), "ms", self.late(0.5));
        let target = (self.count == LATENESS_TARGET_AT).then_some(AtMost(MOST_LATENESS));
        report.aimed(of("lateness of a poll, p99"), "ms", self.late(0.99), target);
        report.figure(of("lateness of a poll, at most"), "ms", self.late(1.0));
        report.figure(of("CPU while nobody asks"), "cores", self.cores);
        let polls = self.lateness.count() as f64;
        report.figure(of("polls a second"), "", polls / self.seconds);
        report.figure(of("CPU for a poll"), "us", self.cores * 1e6 * self.seconds / polls);
    }
}
