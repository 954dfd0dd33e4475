//! When a task that is over leaves.

use std::time::Duration;

use super::{TaskMsg, TaskState};
use crate::supervisor::desk::Deletion;

/// Timers are never set shorter than this: a task that is told its end while
/// the timer runs waits at most this much longer.
const SHORTEST: Duration = Duration::from_millis(10);

impl TaskState {
    /// The task has ended: it stays for a while, for those who ask.
    pub(super) fn ended(&mut self) {
        if self.entry.key().is_none() && self.keeps_result() {
            self.shared.results.keep(&self.entry);
        }
        self.plan_leave();
    }

    /// True for an ExecuteTaskSync that may be repeated: results are kept,
    /// errors are not.
    fn keeps_result(&self) -> bool {
        self.entry.create_key.is_some() && self.entry.snapshot().failure.is_none()
    }

    /// Leaves at once if nothing is left to do.
    pub(super) fn make_room(&mut self) {
        let over = self.entry.snapshot().phase.is_terminal();
        if over && self.call.is_none() && !self.entry.desk().deletion.is_wanted() {
            self.leave();
        }
    }

    /// Leaves when it is time, else looks again then.
    pub(super) fn plan_leave(&mut self) {
        match self.time_to_leave() {
            Some(Duration::ZERO) => self.leave(),
            Some(left) => self.plan(left.max(SHORTEST), || TaskMsg::Leave),
            None => {}
        }
    }

    /// The timer for leaving has gone off.
    pub(super) fn leave_if_due(&mut self) {
        if self.call.is_none() {
            self.plan_leave();
        }
    }

    /// How long the task stays: a tombstone for `retention`, a finished task
    /// for `retention` after its end was told, at most `idle_timeout` after
    /// the last question. `None` while a delete is under way.
    fn time_to_leave(&self) -> Option<Duration> {
        let entry = &self.entry;
        let settings = &self.shared.settings;
        let deletion = entry.desk().deletion.clone();
        if deletion.is_wanted() {
            return None;
        }
        if entry.key().is_none() {
            // Without a key nobody can ask again.
            let ended = entry.ended_for().filter(|_| self.keeps_result());
            return Some(
                ended.map_or(Duration::ZERO, |ended| settings.retention.saturating_sub(ended)),
            );
        }
        let idle = settings.idle_timeout.saturating_sub(entry.unasked_for());
        let stay = match deletion {
            Deletion::Done(at) if !entry.snapshot().decided => {
                settings.retention.saturating_sub(at.elapsed())
            }
            _ => match entry.told_for() {
                Some(told) => settings.retention.saturating_sub(told),
                // Not told yet: look again after a while.
                None => settings.retention.max(Duration::from_secs(1)),
            },
        };
        Some(stay.min(idle))
    }

    /// Leaves: the handle is all that remains, and a later Get adopts it.
    pub(super) fn leave(&mut self) {
        self.cancel_timer();
        self.shared.index.remove(&self.entry);
        self.entry.change(|desk| desk.leave());
        self.myself.stop(None);
    }
}
