//! Simulated time: one axis that goes on when a process dies.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use flightdeck::supervisor::Clock;
use tokio::{runtime::Handle, time::Instant};

/// Time since the start of a case.
pub type Moment = Duration;

/// When every case starts, after 1970.
const START: Duration = Duration::from_secs(1_790_000_000);

/// The time of day at a moment of the case.
pub fn time_of_day(moment: Moment) -> SystemTime {
    SystemTime::UNIX_EPOCH + START + moment
}

/// A time of day as a moment of the case.
pub fn since_start(time: SystemTime) -> Moment {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.saturating_sub(START)
}

/// A wall clock that follows the paused time of one runtime after another.
#[derive(Default)]
pub struct CaseClock(
    // A mutex, because a restart changes what the connectors' tasks read.
    Mutex<Option<Running>>,
);

struct Running {
    /// When the process started.
    began: Moment,
    from: Instant,
    runtime: Handle,
}

impl CaseClock {
    /// Goes on with the time of another runtime.
    pub fn follow(&self, runtime: &Handle) {
        let began = self.moment();
        let _context = runtime.enter();
        let running = Running { began, from: Instant::now(), runtime: runtime.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    /// Now.
    pub fn moment(&self) -> Moment {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map_or(Moment::ZERO, |running| {
            // Outside of it tokio would tell the machine's time.
            let _context = running.runtime.enter();
            running.began + running.from.elapsed()
        })
    }
}

impl Clock for CaseClock {
    fn now(&self) -> SystemTime {
        time_of_day(self.moment())
    }
}
