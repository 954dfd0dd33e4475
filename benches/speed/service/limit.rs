//! A limit on the CPU of a service, as Kubernetes sets one.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use procfs::process::Process;
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::set_current_timer_slack,
};

use super::Service;

/// The period of the kernel's own limit (CFS bandwidth), in which a process
/// runs for its quota and is stopped for the rest.
const PERIOD: Duration = Duration::from_millis(100);
/// How often it is looked, at most, how much was used.
const LOOK: Duration = Duration::from_micros(500);

/// Holds a service to a part of a core until it is dropped: the same as the
/// kernel's limit, but by signals, which needs no right to change a cgroup.
pub struct CpuLimit {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CpuLimit {
    pub fn new(service: &Service, cores: f64) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut limited = Limited {
            pid: Pid::from_child(&service.child),
            process: Process::new(service.child.id().cast_signed()).expect("our child"),
            quota: PERIOD.mul_f64(cores).as_secs_f64(),
            left: 0.0,
            used: 0.0,
        };
        let ends = over.clone();
        let thread = std::thread::spawn(move || {
            set_current_timer_slack(NonZeroU64::new(1)).expect("the thread's own slack");
            limited.used = limited.usage();
            let mut end = Instant::now();
            while !ends.load(Relaxed) {
                end += PERIOD;
                limited.period(end);
            }
            limited.signal(Signal::CONT);
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for CpuLimit {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// A process and its quota, in seconds of CPU.
struct Limited {
    pid: Pid,
    process: Process,
    quota: f64,
    /// What is left of the quota of this period; below zero is a debt, which
    /// the next one pays.
    left: f64,
    used: f64,
}

impl Limited {
    /// One period, until its end.
    fn period(&mut self, end: Instant) {
        // What is not used of a quota is lost.
        self.left = (self.left + self.quota).min(self.quota);
        self.count();
        if self.left > 0.0 {
            self.signal(Signal::CONT);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            if self.left <= 0.0 {
                self.signal(Signal::STOP);
                return sleep(rest);
            }
            if rest.is_zero() {
                return;
            }
            // It cannot use what is left sooner than with all cores.
            let soonest = Duration::from_secs_f64(self.left / cores as f64);
            sleep(soonest.max(LOOK).min(rest));
            self.count();
        }
    }

    fn count(&mut self) {
        let used = self.usage();
        self.left -= (used - self.used).max(0.0);
        self.used = used;
    }

    /// What its threads have used so far. The kernel's own clock of each: that
    /// of the process ticks in hundredths of a second.
    fn usage(&self) -> f64 {
        let threads = self.process.tasks().into_iter().flatten().flatten();
        let used = threads.filter_map(|thread| thread.schedstat().ok());
        used.map(|used| used.sum_exec_runtime as f64 / 1e9).sum()
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("our child");
    }
}
