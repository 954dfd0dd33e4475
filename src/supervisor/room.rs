//! Room for new tasks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout_at},
};

use super::{TaskError, entry::TaskEntry, task::TaskMsg, tasks::Shared};
use crate::config;

/// How long a Create without a deadline waits.
const WAIT: Duration = Duration::from_secs(5);

/// `max_tasks`, and the Creates that wait for it.
pub(super) struct Room {
    max_waiting: usize,
    waiting: Semaphore,
    freed: Notify,
    // A mutex: pushed by the Get that tells an end, popped when room is short.
    told: Mutex<VecDeque<Weak<TaskEntry>>>,
}

impl Room {
    pub(super) fn new(settings: &config::Tasks) -> Self {
        Self {
            max_waiting: settings.max_waiting_creates,
            waiting: Semaphore::new(settings.max_waiting_creates),
            freed: Notify::new(),
            told: Mutex::default(),
        }
    }

    /// Notes a task whose end was told: it is the first to leave.
    pub(super) fn may_leave(&self, entry: &Arc<TaskEntry>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // A weak pointer holds the memory of what it pointed to.
        while told.front().is_some_and(|entry| entry.strong_count() == 0) {
            told.pop_front();
        }
        told.push_back(Arc::downgrade(entry));
        drop(told);
        self.freed();
    }

    /// Notes that a task has left, or may.
    pub(super) fn freed(&self) {
        self.freed.notify_waiters();
    }

    /// How many Creates wait.
    pub(super) fn waiting(&self) -> usize {
        self.max_waiting.saturating_sub(self.waiting.available_permits())
    }

    /// The longest told of those that are still here.
    fn next_to_leave(&self) -> Option<Arc<TaskEntry>> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(entry) = told.pop_front() {
            if let Some(entry) = entry.upgrade().filter(|entry| !entry.desk().left) {
                return Some(entry);
            }
        }
        None
    }
}

impl Shared {
    /// Waits until there is room for one more task: told tasks are asked to
    /// leave first. A caller's deadline leaves half of it for the create.
    pub(super) async fn wait_for_room(&self, deadline: Option<Instant>) -> Result<(), TaskError> {
        if self.index.len() < self.settings.max_tasks {
            return Ok(());
        }
        let full = || {
            self.metrics.refused("max_tasks");
            TaskError::Full(self.settings.max_tasks)
        };
        let _waiting = self.room.waiting.try_acquire().map_err(|_| full())?;
        let now = Instant::now();
        let wait = deadline.map_or(WAIT, |deadline| deadline.saturating_duration_since(now) / 2);
        loop {
            let freed = self.room.freed.notified();
            tokio::pin!(freed);
            // Enabled before the look, so that no leave is missed between.
            freed.as_mut().enable();
            if self.index.len() < self.settings.max_tasks {
                return Ok(());
            }
            if let Some(entry) = self.room.next_to_leave() {
                entry.send(TaskMsg::MakeRoom);
            }
            timeout_at(now + wait, freed).await.map_err(|_| full())?;
        }
    }
}
