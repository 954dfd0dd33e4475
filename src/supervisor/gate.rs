//! The polls of one connector: how many are in flight, how many begin in a
//! second, and whose turn it is.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use ractor::{ActorRef, MessagingErr};
use tokio::time::Instant;

use super::task::TaskMsg;

/// Whose polls they are: tasks of one type in one project.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) task_type: String,
    pub(super) project: String,
}

/// Lets polls through. A flow that finds no room queues; queues take turns, and
/// no flow takes so much that one more would find nothing.
pub(super) struct Gate {
    limit: usize,
    rate: Option<Rate>,
    // A mutex, because permits come back from wherever a poll ends; it is held
    // for a few instructions only.
    state: Mutex<State>,
}

type Rate = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>;

#[derive(Default)]
struct State {
    in_flight: usize,
    flows: BTreeMap<Arc<Flow>, FlowState>,
    /// Flows that wait, in the order of their turns.
    turns: VecDeque<Arc<Flow>>,
    /// A timer is set for when the rate allows the next poll.
    timed: bool,
}

#[derive(Default)]
struct FlowState {
    in_flight: usize,
    waiting: VecDeque<ActorRef<TaskMsg>>,
}

/// The right to one poll, until it is dropped.
pub(super) struct PollPermit {
    gate: Weak<Gate>,
    flow: Arc<Flow>,
}

/// What came of asking for a poll.
pub(super) enum Entrance {
    /// It may begin.
    Open(PollPermit),
    /// The actor is told when it is its turn, with [`TaskMsg::Admitted`].
    Queued,
}

impl Gate {
    /// A gate for so many polls in flight and, if set, so many a second.
    pub(super) fn new(limit: usize, per_second: Option<NonZero<u32>>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            rate: per_second
                .map(|rate| RateLimiter::direct_with_clock(Quota::per_second(rate), TokioClock)),
            state: Mutex::default(),
        })
    }

    /// Asks for a poll of an actor's task.
    pub(super) fn enter(self: &Arc<Self>, flow: Arc<Flow>, actor: &ActorRef<TaskMsg>) -> Entrance {
        let mut state = self.state();
        if state.turns.is_empty() && state.has_room(&flow, self.limit) && self.check_rate().is_ok()
        {
            state.begin(&flow);
            drop(state);
            return Entrance::Open(self.permit(flow));
        }
        let queue = &mut state.flows.entry(flow.clone()).or_default().waiting;
        queue.push_back(actor.clone());
        if queue.len() == 1 {
            state.turns.push_back(flow);
        }
        drop(state);
        // Room may be there, and only the rate or another flow in the way.
        self.admit_waiting();
        Entrance::Queued
    }

    /// Polls in flight now.
    pub(super) fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// Lets in whoever may: each turn one poll of one flow.
    fn admit_waiting(self: &Arc<Self>) {
        loop {
            let Some((flow, actor)) = self.next() else {
                return;
            };
            let admitted = TaskMsg::Admitted(self.permit(flow));
            if let Err(MessagingErr::SendErr(TaskMsg::Admitted(permit))) =
                actor.send_message(admitted)
            {
                // The actor is gone. Its permit comes back here and not in its
                // drop, which would call this function again, ever deeper.
                permit.give_back(self);
            }
        }
    }

    fn next(self: &Arc<Self>) -> Option<(Arc<Flow>, ActorRef<TaskMsg>)> {
        let mut state = self.state();
        let limit = self.limit;
        let at = state.turns.iter().position(|flow| state.has_room(flow, limit))?;
        if let Err(pause) = self.check_rate() {
            self.wait_for_rate(&mut state, pause);
            return None;
        }
        let flow = state.turns.remove(at)?;
        let queue = &mut state.flows.get_mut(&flow)?.waiting;
        let actor = queue.pop_front()?;
        if !queue.is_empty() {
            state.turns.push_back(flow.clone());
        }
        state.begin(&flow);
        Some((flow, actor))
    }

    /// Takes a poll from the rate, or says when there is the next.
    fn check_rate(&self) -> Result<(), Duration> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.check().map_err(|not_until| not_until.wait_time_from(TokioClock.now()))
    }

    /// Sets a timer, the only one, for when the rate allows the next.
    fn wait_for_rate(self: &Arc<Self>, state: &mut State, pause: Duration) {
        if std::mem::replace(&mut state.timed, true) {
            return;
        }
        let gate = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(gate) = gate.upgrade() {
                gate.state().timed = false;
                gate.admit_waiting();
            }
        });
    }

    fn permit(self: &Arc<Self>, flow: Arc<Flow>) -> PollPermit {
        PollPermit { gate: Arc::downgrade(self), flow }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// True if one more poll of the flow leaves a share for a flow that comes
    /// next: shares shrink as flows become more.
    fn has_room(&self, flow: &Arc<Flow>, limit: usize) -> bool {
        let known = self.flows.contains_key(flow);
        let flows = self.flows.len() + usize::from(!known);
        let share = (limit / (flows + 1)).max(1);
        let taken = self.flows.get(flow).map_or(0, |flow| flow.in_flight);
        self.in_flight < limit && taken < share
    }

    fn begin(&mut self, flow: &Arc<Flow>) {
        self.in_flight += 1;
        self.flows.entry(flow.clone()).or_default().in_flight += 1;
    }

    fn end(&mut self, flow: &Arc<Flow>) {
        self.in_flight -= 1;
        if let Some(state) = self.flows.get_mut(flow) {
            state.in_flight -= 1;
            if state.in_flight == 0 && state.waiting.is_empty() {
                self.flows.remove(flow);
            }
        }
    }
}

impl PollPermit {
    /// Gives the right back without letting in the next.
    fn give_back(mut self, gate: &Gate) {
        self.gate = Weak::new();
        gate.state().end(&self.flow);
    }
}

impl Drop for PollPermit {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.upgrade() {
            gate.state().end(&self.flow);
            gate.admit_waiting();
        }
    }
}

/// tokio's clock for the rate limiter, so that tests can pause it.
#[derive(Debug, Clone)]
struct TokioClock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TokioInstant(Instant);

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }
}

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl std::ops::Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + Duration::from(duration))
    }
}
