//! Hearing from the connector that the job has changed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::future::BoxFuture;
use ractor::ActorRef;
use tokio::time::Instant;

use super::{TaskMsg, TaskState};

/// A connector's word that the job has changed, which the actor itself waits
/// for: a task for it would cost more than all the rest of the wait.
pub(super) struct Awaited {
    changed: BoxFuture<'static, ()>,
    stir: Arc<Stir>,
    /// No early poll comes before.
    rested: Instant,
}

/// Wakes the actor by a message.
struct Stir {
    actor: ActorRef<TaskMsg>,
    /// The message is on its way.
    sent: AtomicBool,
}

impl Wake for Stir {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.sent.swap(true, Ordering::AcqRel) {
            let _ = self.actor.send_message(TaskMsg::Stirred);
        }
    }
}

impl TaskState {
    /// Waits for the job to change, where the connector can tell.
    pub(super) fn await_change(&mut self) {
        let Some(changed) = self.entry.job().and_then(|job| job.changed()) else {
            return;
        };
        let stir = Arc::new(Stir { actor: self.myself.clone(), sent: AtomicBool::new(false) });
        let rested = Instant::now() + self.schedule.rest();
        self.awaited = Some(Awaited { changed, stir, rested });
        self.stirred();
    }

    /// The wait may be over: then a poll comes before its time.
    pub(super) fn stirred(&mut self) {
        let Some(awaited) = &mut self.awaited else {
            return;
        };
        awaited.stir.sent.store(false, Ordering::Release);
        let waker = Waker::from(awaited.stir.clone());
        let mut context = Context::from_waker(&waker);
        let changed = AssertUnwindSafe(|| awaited.changed.as_mut().poll(&mut context));
        let rested = awaited.rested;
        match catch_unwind(changed) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) if rested <= Instant::now() => {
                self.cancel_timer();
                self.poll_early();
            }
            Ok(Poll::Ready(())) if rested < self.due => {
                self.plan_at(rested, || TaskMsg::Changed);
            }
            // A panic of the connector costs the early poll and no more.
            Ok(Poll::Ready(())) | Err(_) => self.awaited = None,
        }
    }
}
