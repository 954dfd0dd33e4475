//! How late polls begin, from a service's own metrics.

use std::ops::Sub;

/// The histogram of a service's own metrics.
const LATENESS: &str = "flightdeck_poll_lateness_seconds_bucket{le=\"";

/// How late polls have begun: the upper bounds of the buckets, with how many
/// polls were within each.
pub struct Lateness(Vec<(f64, u64)>);

impl Lateness {
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
