//! Spares a store that is out of order: while it is, one request tries it, and
//! everybody else is told what that one was told.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::connector::{ConnectorError, ErrorClass};

/// So many failures without a success between them are an outage: one object
/// that a store cannot tell about is none.
const OUTAGE: u32 = 3;

/// Whether requests to one store make sense.
#[derive(Debug)]
pub(super) struct Breaker {
    pause: Duration,
    // A mutex, because requests come and go on any thread; it is held for a
    // few instructions only.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    error: ConnectorError,
    until: Instant,
    /// Somebody tries it.
    tried: bool,
}

/// The right to one request.
pub(super) struct Pass {
    breaker: Arc<Breaker>,
}

impl Breaker {
    /// One that lets a store in trouble be tried after each such pause.
    pub(super) fn new(pause: Duration) -> Arc<Self> {
        Arc::new(Self { pause, state: Mutex::default() })
    }

    /// Asks for a request; an error is that of the outage.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Pass, ConnectorError> {
        if let Some(outage) = &mut self.state().outage {
            if outage.tried || Instant::now() < outage.until {
                return Err(outage.error.clone());
            }
            outage.tried = true;
        }
        Ok(Pass { breaker: self.clone() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Says how the request ended.
    pub(super) fn ended(self, error: Option<&ConnectorError>) {
        let mut state = self.breaker.state();
        let Some(error) = error.filter(|error| error.class() == ErrorClass::Transient) else {
            *state = State::default();
            return;
        };
        state.failures += 1;
        let asked = error.retry_after();
        if state.failures >= OUTAGE || asked.is_some() {
            let pause = asked.unwrap_or_default().max(self.breaker.pause);
            let until = Instant::now() + pause;
            state.outage = Some(Outage { error: error.clone(), until, tried: false });
        }
    }
}

impl Drop for Pass {
    /// A request that was given up says nothing; the next may try.
    fn drop(&mut self) {
        if let Some(outage) = &mut self.breaker.state().outage {
            outage.tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(2);

    fn fail(breaker: &Arc<Breaker>, error: ConnectorError) {
        breaker.enter().expect("a pass").ended(Some(&error));
    }

    #[tokio::test(start_paused = true)]
    async fn in_an_outage_one_request_tries_and_the_others_are_told() {
        let breaker = Breaker::new(PAUSE);
        for _ in 0..OUTAGE {
            fail(&breaker, ConnectorError::transient("refused"));
        }
        assert!(breaker.enter().is_err());
        tokio::time::advance(PAUSE).await;
        let one = breaker.enter().expect("one may try");
        assert!(breaker.enter().is_err());
        drop(one);
        breaker.enter().expect("another may").ended(None);
        assert!(breaker.enter().is_ok() && breaker.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_asks_for_a_pause_gets_it_at_once() {
        let breaker = Breaker::new(PAUSE);
        let wait = Duration::from_secs(30);
        fail(&breaker, ConnectorError::transient("429").with_retry_after(wait));
        tokio::time::advance(PAUSE).await;
        assert!(breaker.enter().is_err());
        tokio::time::advance(wait).await;
        assert!(breaker.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_no_outage() {
        let breaker = Breaker::new(PAUSE);
        for _ in 0..10 {
            fail(&breaker, ConnectorError::denied("403"));
        }
        assert!(breaker.enter().is_ok());
    }
}
