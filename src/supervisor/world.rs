//! What the supervisor takes from outside: the wall clock and randomness.
//! Handed in, so that a seed repeats a run. Monotonic time is tokio's, which
//! tests can pause.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

/// The wall clock.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A source of random numbers for jitter and ids.
#[derive(Debug)]
pub struct Randomness(
    // A mutex, because every actor draws from the one seed.
    Mutex<StdRng>,
);

impl Randomness {
    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// A number from 0 to 1, 1 excluded.
    pub(crate) fn roll(&self) -> f64 {
        self.with(|rng| rng.random())
    }

    /// Sixteen random bytes.
    pub(super) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The ids of traces and spans, from the randomness of a world. Task ids would
/// not do: the time in them decides what a ratio samples.
#[derive(Debug, Clone)]
pub struct TraceIds(Arc<Randomness>);

impl IdGenerator for TraceIds {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from_bytes(self.0.bytes())
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from_bytes(self.0.bytes())
    }
}

/// A pause in whole milliseconds, as timers have them. What becomes of a
/// fraction depends on when the process started, so no seed would repeat it.
pub(crate) fn whole_millis(pause: Duration) -> Duration {
    Duration::new(pause.as_secs(), pause.subsec_millis() * 1_000_000)
}

/// Clock and randomness of one service.
#[derive(Clone)]
pub struct World {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Jitter and ids.
    pub randomness: Arc<Randomness>,
}

impl World {
    /// The machine's clock, and randomness seeded by the system.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            randomness: Arc::new(Randomness(Mutex::new(rand::make_rng()))),
        }
    }

    /// Where ids of traces and spans come from.
    pub fn trace_ids(&self) -> TraceIds {
        TraceIds(self.randomness.clone())
    }

    /// The time of day.
    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// A new task id, a UUIDv7.
    pub(super) fn task_id(&self) -> Uuid {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.randomness.bytes()).into_uuid()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}
