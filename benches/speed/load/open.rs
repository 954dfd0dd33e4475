//! An open loop: calls come at their own rate, as from callers who do not know
//! of each other. The latency of a call is counted from when it was due, so a
//! stall of the service, or of this client, shows in every call that it held up
//! (no coordinated omission).

use std::{
    error::Error,
    iter::successors,
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rustix::thread::set_current_timer_slack;
use tokio::{runtime::Handle, sync::mpsc, time::timeout_at};
use tonic::{Code, Status, TimeoutExpired};

use super::{Call, Calls, Wire};

/// So many calls a second for a time.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub rate: f64,
    pub time: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Good,
    /// With the service's own RESOURCE_EXHAUSTED.
    Refused,
    /// Without an answer inside its deadline.
    Late,
    /// With its connection, whatever status the client makes of that.
    Cut,
    /// With any other error of the service.
    Failed,
}

impl From<&Result<(), Status>> for End {
    fn from(result: &Result<(), Status>) -> Self {
        let Err(status) = result else {
            return Self::Good;
        };
        // A status that the service sent has no cause.
        let cause = successors(status.source(), |cause| Error::source(*cause)).last();
        match (status.code(), cause) {
            (_, Some(cause)) if cause.is::<TimeoutExpired>() => Self::Late,
            (_, Some(_)) => Self::Cut,
            (Code::DeadlineExceeded, None) => Self::Late,
            (Code::ResourceExhausted, None) => Self::Refused,
            (_, None) => Self::Failed,
        }
    }
}

/// One call.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// When it was due, from the beginning of the load.
    due: Duration,
    /// From then until the client began to send it.
    delay: Duration,
    /// From when it was due until its end.
    took: Duration,
    end: End,
}

/// What an open loop did.
#[derive(Debug)]
pub struct Open {
    answers: Vec<Answer>,
    /// The first error that was neither a refusal nor late.
    pub fault: Option<Status>,
}

impl Open {
    /// What became of the calls that were due from a moment until another,
    /// counted from the beginning of the load.
    pub fn between(&self, from: Duration, until: Duration) -> Seen {
        let mut seen = Seen::new(until - from);
        for answer in self.answers.iter().filter(|answer| (from..until).contains(&answer.due)) {
            seen.count(answer, until);
        }
        seen
    }
}

/// What became of calls.
#[derive(Debug)]
pub struct Seen {
    /// From when a call was due until its reply, in microseconds; of good
    /// replies alone.
    pub latency: Histogram<u64>,
    /// The same of refusals.
    pub refusal: Histogram<u64>,
    /// The part of it that is the client's: until it began to send the call.
    pub delay: Histogram<u64>,
    /// Calls that were due.
    pub due: u64,
    /// Good replies that were there when the last of the calls was due.
    pub by_then: u64,
    /// Calls that had no answer inside their deadline.
    pub late: u64,
    /// Calls whose connection broke.
    pub cut: u64,
    /// Calls with any error that is no refusal.
    pub failed: u64,
    time: Duration,
}

impl Seen {
    fn new(time: Duration) -> Self {
        let [latency, refusal, delay] = [histogram(), histogram(), histogram()];
        Self { latency, refusal, delay, due: 0, by_then: 0, late: 0, cut: 0, failed: 0, time }
    }

    fn count(&mut self, answer: &Answer, until: Duration) {
        self.due += 1;
        self.delay.saturating_record(micros(answer.delay));
        match answer.end {
            End::Good => {
                self.latency.saturating_record(micros(answer.took));
                self.by_then += u64::from(answer.due + answer.took <= until);
            }
            End::Refused => self.refusal.saturating_record(micros(answer.took)),
            End::Late => self.late += 1,
            End::Cut => self.cut += 1,
            End::Failed => self.failed += 1,
        }
    }

    /// Good replies in a second.
    pub fn goodput(&self) -> f64 {
        self.latency.len() as f64 / self.time.as_secs_f64()
    }

    /// So many of the calls, in percent.
    pub fn percent(&self, count: u64) -> f64 {
        100.0 * count as f64 / self.due.max(1) as f64
    }

    /// True if the service kept up: nearly all calls were answered when the
    /// last was due, so that no queue was growing.
    pub fn kept_up(&self) -> bool {
        self.percent(self.by_then) >= 99.0
    }
}

/// An empty histogram of microseconds, up to ten minutes: one without a bound
/// would be saturated at its first 2 milliseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(600_000_000, 3).expect("three digits")
}

/// A quantile, in milliseconds.
pub fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Makes calls at random moments (a Poisson process) at the rate of one stage
/// after the other, over these connections in turn; each has so long until its
/// answer.
pub async fn open(
    connections: Vec<Wire>,
    calls: &impl Calls,
    stages: &[Stage],
    deadline: Duration,
) -> Open {
    let ready: Vec<_> = connections.into_iter().map(|wire| calls.on(wire)).collect();
    let (sender, mut results) = mpsc::unbounded_channel();
    let runtime = Handle::current();
    let fault = Arc::new(Mutex::new(None));
    let began = Instant::now();
    let call = {
        let fault = fault.clone();
        move |number: usize, due: Duration| {
            let mut call = ready[number % ready.len()].clone();
            let (sender, fault) = (sender.clone(), fault.clone());
            let at = began + due;
            runtime.spawn(async move {
                let delay = at.elapsed();
                let left = deadline.saturating_sub(delay);
                let answer = call.call(number, Some(left));
                let answer = timeout_at((at + deadline).into(), answer).await;
                let took = at.elapsed();
                let late = |_| Status::deadline_exceeded("no answer");
                let result = answer.map_err(late).flatten();
                let end = End::from(&result);
                if matches!(end, End::Cut | End::Failed) {
                    fault.lock().expect("no panic").get_or_insert(result);
                }
                let _ = sender.send(Answer { due, delay, took, end });
            });
        }
    };
    let stages = stages.to_vec();
    let calls = stages.iter().map(|stage| stage.rate * stage.time.as_secs_f64()).sum::<f64>();
    // A thread of its own: the runtime's timers tick in milliseconds.
    std::thread::spawn(move || pace(&stages, began, call));
    let mut answers = Vec::with_capacity(calls as usize);
    while let Some(answer) = results.recv().await {
        answers.push(answer);
    }
    let fault = fault.lock().expect("no panic").take().and_then(Result::err);
    Open { answers, fault }
}

/// Has each call made when it is due, or as soon after as this thread runs.
fn pace(stages: &[Stage], began: Instant, mut call: impl FnMut(usize, Duration)) {
    // Else each sleep is 50 microseconds longer than was asked.
    set_current_timer_slack(NonZeroU64::new(1)).expect("the thread's own slack");
    let mut random = StdRng::seed_from_u64(1);
    let (mut number, mut from) = (0, Duration::ZERO);
    for stage in stages {
        let until = from + stage.time;
        let mut due = from;
        loop {
            due += Duration::from_secs_f64(-(1.0 - random.random::<f64>()).ln() / stage.rate);
            if due >= until {
                break;
            }
            let wait = due.saturating_sub(began.elapsed());
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            call(number, due);
            number += 1;
        }
        from = until;
    }
}
