//! When actors are to be told something. One calendar for all of them: a pause
//! is an entry in it, where a timer of tokio's would be a task.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ractor::{ActorId, ActorRef};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Duration, Instant, timeout_at},
};

use super::task::TaskMsg;

/// The longest time between two looks at the calendar. tokio has a timer of this
/// length then, and does not wake its driver, by a system call, for each longer
/// one that a request sets.
const LOOK: Duration = Duration::from_millis(500);

/// The timers of all actors; until it is dropped.
pub(super) struct Timers {
    calendar: Arc<Calendar>,
    clerk: AbortHandle,
}

struct Calendar {
    /// The start of the milliseconds.
    began: Instant,
    // A mutex, because every actor writes into it; it is held for a few
    // instructions only.
    due: Mutex<BTreeMap<u64, Vec<Reminder>>>,
    /// Something is due before everything else.
    sooner: Notify,
}

struct Reminder {
    actor: ActorRef<TaskMsg>,
    message: fn() -> TaskMsg,
}

/// Where an actor's timer is found again.
pub(super) struct Ticket(u64);

impl Timers {
    /// An empty calendar, and the task that goes by it.
    pub(super) fn start() -> Self {
        let calendar = Arc::new(Calendar {
            began: Instant::now(),
            due: Mutex::default(),
            sooner: Notify::new(),
        });
        let clerk = tokio::spawn(calendar.clone().run()).abort_handle();
        Self { calendar, clerk }
    }

    /// Sends the actor a message at that time.
    pub(super) fn set(
        &self,
        at: Instant,
        actor: ActorRef<TaskMsg>,
        message: fn() -> TaskMsg,
    ) -> Ticket {
        let after = at.saturating_duration_since(self.calendar.began);
        // Never before the time.
        let at = u64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let mut due = self.calendar.due();
        let is_first = due.first_key_value().is_none_or(|(first, _)| at < *first);
        due.entry(at).or_default().push(Reminder { actor, message });
        drop(due);
        if is_first {
            self.calendar.sooner.notify_one();
        }
        Ticket(at)
    }

    /// Takes the actor's timer out, unless it has gone off.
    pub(super) fn cancel(&self, Ticket(at): Ticket, actor: ActorId) {
        let mut due = self.calendar.due();
        let Some(reminders) = due.get_mut(&at) else {
            return;
        };
        reminders.retain(|reminder| reminder.actor.get_id() != actor);
        if reminders.is_empty() {
            due.remove(&at);
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.clerk.abort();
    }
}

impl Calendar {
    async fn run(self: Arc<Self>) {
        loop {
            match self.remind() {
                Some(next) => {
                    let look = next.min(Instant::now() + LOOK);
                    let _ = timeout_at(look, self.sooner.notified()).await;
                }
                None => self.sooner.notified().await,
            }
        }
    }

    /// Sends what is due: when to look again.
    fn remind(&self) -> Option<Instant> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        loop {
            let mut due = self.due();
            let first = due.first_entry()?;
            if *first.key() > now {
                return self.began.checked_add(Duration::from_millis(*first.key()));
            }
            let reminders = first.remove();
            drop(due);
            for Reminder { actor, message } in reminders {
                // One that has left needs no reminder.
                let _ = actor.send_message(message());
            }
        }
    }

    fn due(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Reminder>>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
