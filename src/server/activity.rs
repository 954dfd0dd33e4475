//! How busy a connection is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio::time::{Duration, Instant};

/// The requests of one connection. Bytes say nothing here: an abandoned
/// connection answers pings like any other.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    under_way: AtomicUsize,
    /// When the last request ended, in microseconds after `opened`.
    last_ended: AtomicU64,
}

/// How much a connection is used; the least of them is the idlest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    busy: bool,
    since: Instant,
}

impl Activity {
    /// A connection that opens now.
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            under_way: AtomicUsize::new(0),
            last_ended: AtomicU64::new(0),
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Relaxed);
    }

    /// A request ends, its response included.
    pub(super) fn end(&self) {
        let after = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_ended.store(after, Relaxed);
        self.under_way.fetch_sub(1, Relaxed);
    }

    /// How much it is used now.
    pub(super) fn now(&self) -> Use {
        Use {
            busy: self.under_way.load(Relaxed) > 0,
            since: self.opened + Duration::from_micros(self.last_ended.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_idlest_is_without_a_request_for_the_longest_time() {
        let second = Duration::from_secs(1);
        let [busy, served, fresh, abandoned] = [(); 4].map(|()| Activity::new());
        busy.begin();
        served.begin();
        tokio::time::advance(second).await;
        served.end();
        let older = Activity::new();
        tokio::time::advance(second).await;
        fresh.begin();
        fresh.end();
        let mut all = [
            ("busy", busy.now()),
            ("served", served.now()),
            ("fresh", fresh.now()),
            ("abandoned", abandoned.now()),
            ("older", older.now()),
        ];
        all.sort_by_key(|(_, used)| *used);
        let order = all.map(|(name, _)| name);
        assert_eq!(order, ["abandoned", "served", "older", "fresh", "busy"]);
    }
}
