//! A closed loop: each stream makes its next call when the last was answered,
//! so the service sets the pace. It tells rates and costs, not latencies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    runtime::Builder,
    sync::Barrier,
    task::{JoinSet, spawn_blocking},
};

use super::{Call, Calls, Wire};
use crate::{cores, service::Service};

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
///
/// The connections are shared out among threads, one for each core, which have
/// nothing else in common: so the client takes as little as it can.
pub async fn closed(
    service: &Service,
    calls: &impl Calls,
    connections: usize,
    streams: usize,
    until: Until,
) -> Closed {
    let threads = connections.min(cores());
    let start = Arc::new(Barrier::new(threads + 1));
    let next = Arc::new(AtomicUsize::new(0));
    let mut loops = JoinSet::new();
    for thread in 0..threads {
        let load = Load { calls: calls.clone(), streams, until, next: next.clone() };
        let share = (thread..connections).step_by(threads).len();
        let (address, start) = (service.address().to_owned(), start.clone());
        loops.spawn(spawn_blocking(move || load.run(&address, share, &start)));
    }
    start.wait().await;
    let began = Instant::now();
    let made = loops.join_all().await.into_iter().map(|made| made.expect("good replies"));
    let calls = made.sum();
    Closed { calls, took: began.elapsed() }
}

/// What one thread does.
struct Load<C> {
    calls: C,
    streams: usize,
    until: Until,
    /// The number of the next call of all threads.
    next: Arc<AtomicUsize>,
}

impl<C: Calls> Load<C> {
    /// Makes calls on so many connections: how many.
    fn run(self, address: &str, connections: usize, start: &Barrier) -> usize {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut loops = Vec::with_capacity(connections * self.streams);
            for _ in 0..connections {
                let wire = Wire::lean(address).await;
                loops.extend((0..self.streams).map(|_| self.calls.on(wire.clone())));
            }
            start.wait().await;
            let began = Instant::now();
            let loops = loops.into_iter().map(|call| self.one(call, began));
            let made = loops.collect::<FuturesUnordered<_>>();
            made.fold(0, async |all, made| all + made).await
        })
    }

    /// One call after the other: how many.
    async fn one(&self, mut call: C::Call, began: Instant) -> usize {
        let mut made = 0;
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            let over = match self.until {
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
}
