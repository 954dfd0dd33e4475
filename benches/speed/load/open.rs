//! An open loop: calls come at their own rate, as from callers who do not know
//! of each other. The latency of a call is counted from when it was due, so a
//! stall of the service, or of this client, shows in every call that it held up
//! (no coordinated omission).

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{runtime::Handle, sync::mpsc, time::timeout_at};
use tonic::{Code, Status};

use super::{Call, Calls};
use crate::service::Service;

/// The least that is slept before the next call: less costs more than it
/// spaces.
const NAP: Duration = Duration::from_micros(100);

/// What an open loop saw.
#[derive(Debug)]
pub struct Open {
    /// From when a call was due until its reply, in microseconds; of good
    /// replies alone.
    pub latency: Histogram<u64>,
    /// Calls that were due.
    pub due: usize,
    /// Calls that were refused: RESOURCE_EXHAUSTED.
    pub refused: usize,
    /// Calls that had no answer inside their deadline.
    pub late: usize,
    /// Any other error.
    pub failed: usize,
    pub took: Duration,
}

impl Open {
    fn new(due: usize) -> Self {
        let latency = Histogram::new(3).expect("three digits");
        Self { latency, due, refused: 0, late: 0, failed: 0, took: Duration::ZERO }
    }

    /// Good replies in a second.
    pub fn goodput(&self) -> f64 {
        self.latency.len() as f64 / self.took.as_secs_f64()
    }

    /// A quantile of the latency, in milliseconds.
    pub fn millis(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }

    fn count(&mut self, took: Duration, result: Result<(), Status>) {
        match result.map_err(|status| status.code()) {
            Ok(()) => {
                let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.latency.saturating_record(took);
            }
            Err(Code::ResourceExhausted) => self.refused += 1,
            Err(Code::DeadlineExceeded | Code::Cancelled) => self.late += 1,
            Err(_) => self.failed += 1,
        }
    }
}

/// Makes so many calls a second for a time, at random moments (a Poisson
/// process), over so many connections; each has so long until its answer.
pub async fn open(
    service: &Service,
    calls: &impl Calls,
    connections: usize,
    rate: f64,
    time: Duration,
    deadline: Duration,
) -> Open {
    let mut ready = Vec::with_capacity(connections);
    for _ in 0..connections {
        ready.push(calls.on(service.connect().await));
    }
    let (sender, mut results) = mpsc::unbounded_channel();
    let runtime = Handle::current();
    let began = Instant::now();
    // A thread of its own: the runtime's timers tick in milliseconds.
    let pacer = std::thread::spawn(move || {
        let mut random = StdRng::seed_from_u64(1);
        let mut due = Duration::ZERO;
        let mut number = 0;
        while due < time {
            let wait = due.saturating_sub(began.elapsed());
            if wait > NAP {
                std::thread::sleep(wait);
            }
            let mut call = ready[number % ready.len()].clone();
            let sender = sender.clone();
            let at = began + due;
            runtime.spawn(async move {
                let limit = tokio::time::Instant::from_std(at + deadline);
                let answer = timeout_at(limit, call.call(number)).await;
                let late = |_| Status::deadline_exceeded("no answer");
                let result = answer.map_err(late).flatten();
                let _ = sender.send((at.elapsed(), result));
            });
            number += 1;
            due += Duration::from_secs_f64(-(1.0 - random.random::<f64>()).ln() / rate);
        }
        number
    });
    let mut seen = Open::new(0);
    while let Some((took, result)) = results.recv().await {
        seen.count(took, result);
    }
    seen.took = began.elapsed();
    seen.due = pacer.join().expect("no panic");
    seen
}
