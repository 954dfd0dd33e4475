//! How long the calls of a closed loop take: as callers see it who wait for one
//! reply before they ask again, so a stall of the service shows in few calls.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tonic::Status;

use super::{Call, Calls, Wire, histogram, micros};

/// Calls, or one of them, with how long each good reply took in microseconds.
#[derive(Clone)]
pub struct Timed<C> {
    call: C,
    latency: Arc<Mutex<Histogram<u64>>>,
}

impl<C> Timed<C> {
    pub fn of(call: C) -> Self {
        Self { call, latency: Arc::new(Mutex::new(histogram())) }
    }

    /// A quantile of how long they took since this was made.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let latency = self.latency.lock().expect("no panic");
        Duration::from_micros(latency.value_at_quantile(quantile))
    }
}

impl<C: Calls> Calls for Timed<C> {
    type Call = Timed<C::Call>;

    fn on(&self, wire: Wire) -> Self::Call {
        Timed { call: self.call.on(wire), latency: self.latency.clone() }
    }
}

impl<C: Call> Call for Timed<C> {
    async fn call(&mut self, number: usize, limit: Option<Duration>) -> Result<(), Status> {
        let began = Instant::now();
        self.call.call(number, limit).await?;
        let took = micros(began.elapsed());
        self.latency.lock().expect("no panic").saturating_record(took);
        Ok(())
    }
}
