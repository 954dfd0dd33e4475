//! What several benches use.
#![allow(dead_code, reason = "each uses a part of it")]

pub mod sensors;

use std::{ops::Sub, time::Duration};

use flightdeck::telemetry::Metrics;

/// The histogram of a service's own metrics.
const LATENESS: &str = "flightdeck_poll_lateness_seconds_bucket{le=\"";

/// Numbers on the command line, in their order.
pub struct Args(Vec<usize>);

impl Args {
    /// What is given, else the defaults. Each comes with what `cargo test
    /// --benches` uses, which wants to know that it runs and not how fast.
    pub fn parse(defaults: &[(usize, usize)]) -> Self {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let test = given.iter().any(|argument| argument == "--test");
        let mut numbers = given.iter().filter_map(|argument| argument.parse().ok());
        Self(
            defaults
                .iter()
                .map(|(full, short)| numbers.next().unwrap_or(if test { *short } else { *full }))
                .collect(),
        )
    }

    pub fn number(&self, at: usize) -> usize {
        self.0[at]
    }
}

/// A line of the table: a figure without a target is only told.
pub fn row(figure: &str, measured: f64, target: Option<f64>) {
    match target {
        Some(target) => {
            let met = if measured <= target { "yes" } else { "NO" };
            println!("{figure:<32} {measured:>10.2} {target:>10.2}  {met}");
        }
        None => println!("{figure:<32} {measured:>10.2}"),
    }
}

/// What this process has used.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Resident memory, in bytes.
    pub resident: f64,
    pub cpu: Duration,
}

impl Process {
    pub fn now() -> Self {
        Self::of("self")
    }

    /// What a process has used, by its id.
    pub fn of(id: &str) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("Linux");
        // After the name in parentheses: utime and stime are the 12th and 13th.
        let (_, rest) = stat.rsplit_once(')').expect("a name");
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks: u32 = ticks.map(|ticks| ticks.parse::<u32>().expect("a number")).sum();
        // USER_HZ is 100 on every Linux there is.
        Self { resident: kib.expect("a number") * 1024.0, cpu: ticks * Duration::from_millis(10) }
    }
}

/// How late polls have begun: the upper bounds of the buckets, with how many
/// polls were within each.
pub struct Lateness(Vec<(f64, u64)>);

impl Lateness {
    pub fn of(metrics: &Metrics) -> Self {
        Self::read(&metrics.render().expect("metrics"))
    }

    /// From what Prometheus would scrape.
    pub fn read(text: &str) -> Self {
        let buckets = text.lines().filter_map(|line| line.strip_prefix(LATENESS)).map(|line| {
            let (bound, count) = line.split_once("\"} ").expect("a bucket");
            let bound = bound.replace("+Inf", "inf").parse().expect("a number");
            (bound, count.parse().expect("a count"))
        });
        Self(buckets.collect())
    }

    pub fn count(&self) -> u64 {
        self.0.last().map_or(0, |(_, count)| *count)
    }

    /// The quantile in seconds, as Prometheus reckons it: linear inside of a
    /// bucket. Of all of them it is the bound that none was above.
    pub fn quantile(&self, quantile: f64) -> f64 {
        let rank = quantile * self.count() as f64;
        let (mut below, mut within) = (0.0, 0);
        for (bound, count) in &self.0 {
            if *count as f64 >= rank {
                let part = (rank - within as f64) / (count - within).max(1) as f64;
                return if bound.is_finite() { below + (bound - below) * part } else { *bound };
            }
            (below, within) = (*bound, *count);
        }
        f64::NAN
    }
}

impl Sub for Lateness {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        let pairs = self.0.into_iter().zip(before.0);
        Self(pairs.map(|((bound, now), (_, before))| (bound, now - before)).collect())
    }
}
