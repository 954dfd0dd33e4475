//! A closed loop: each stream makes its next call when the last was answered,
//! so the service sets the pace. It tells rates and costs, not latencies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{Call, Calls};
use crate::service::Service;

/// When a closed loop is over.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    Passed(Duration),
    Count(usize),
}

/// What a closed loop did.
#[derive(Debug, Clone, Copy)]
pub struct Closed {
    pub calls: usize,
    pub took: Duration,
}

impl Closed {
    /// Calls in a second.
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64()
    }
}

/// Makes calls on so many connections, with so many streams on each. A call
/// that is refused ends the bench.
pub async fn closed(
    service: &Service,
    calls: &impl Calls,
    connections: usize,
    streams: usize,
    until: Until,
) -> Closed {
    let mut loops = Vec::with_capacity(connections * streams);
    for _ in 0..connections {
        let channel = service.connect().await;
        loops.extend((0..streams).map(|_| calls.on(channel.clone())));
    }
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let loops = loops.into_iter().map(|mut call| {
        let next = next.clone();
        async move {
            let mut made = 0;
            loop {
                let number = next.fetch_add(1, Relaxed);
                let over = match until {
                    Until::Passed(time) => began.elapsed() >= time,
                    Until::Count(count) => number >= count,
                };
                if over {
                    return made;
                }
                call.call(number, None).await.expect("a good reply");
                made += 1;
            }
        }
    });
    let calls = loops.collect::<JoinSet<_>>().join_all().await.into_iter().sum();
    Closed { calls, took: began.elapsed() }
}
