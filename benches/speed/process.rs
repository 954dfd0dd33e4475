//! What a process uses.

use std::{ops::Sub, time::Duration};

use procfs::process::Process;

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory, in bytes. Of a difference: how much more it is.
    pub resident: f64,
    /// Page faults that needed no disk: the first touch of a page is one.
    pub faults: u64,
}

impl Usage {
    /// Of a process, by its id.
    pub fn of(id: u32) -> Self {
        let stat = Process::new(id.cast_signed()).and_then(|process| process.stat());
        let stat = stat.expect("the process is there");
        let ticks = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        Self {
            cpu: Duration::from_secs_f64(ticks),
            resident: (stat.rss * procfs::page_size()) as f64,
            faults: stat.minflt,
        }
    }

    /// Of this process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            resident: self.resident - before.resident,
            faults: self.faults - before.faults,
        }
    }
}
