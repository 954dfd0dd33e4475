//! What is known of a task outside of its actor, and outlives a panic of it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ractor::ActorRef;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use super::{
    TaskError,
    budget::RestartBudget,
    history::{Event, History},
    index::TaskKey,
    schedule::Schedule,
    snapshot::Snapshot,
    task::TaskMsg,
};
use crate::{
    connector::{Connector, ConnectorError, Job, Phase, TaskCategory, TaskRequest},
    telemetry::{TaskGauge, TaskMetrics},
    wire::handle::{ExecutionId, Handle},
};

/// One task: shared by its actor, which alone changes it, and by handlers,
/// which read it and wait for changes.
pub(super) struct TaskEntry {
    pub(super) id: Uuid,
    pub(super) category: TaskCategory,
    pub(super) connector: Connector,
    pub(super) execution: Option<ExecutionId>,
    pub(super) created: SystemTime,
    pub(super) deadline: Option<SystemTime>,
    pub(super) create_key: Option<[u8; 16]>,
    pub(super) metrics: Arc<TaskMetrics>,
    /// The start of the times kept as atomics.
    born: Instant,
    /// Set once the job is known: at once for an adopted task.
    job: OnceLock<Arc<dyn Job>>,
    /// Set once the task has a handle: never for ExecuteTaskSync.
    handle: OnceLock<(TaskKey, Bytes)>,
    snapshot: ArcSwap<Snapshot>,
    changed: Notify,
    /// Milliseconds after `born`.
    asked: AtomicU64,
    /// Milliseconds after `born`, plus one; 0 while nobody knows the end.
    told: AtomicU64,
    /// Milliseconds after `born`, plus one; 0 while no poll has succeeded.
    polled: AtomicU64,
    // A mutex, because intents come from handlers and are read by the actor;
    // it is held for a few instructions only.
    desk: Mutex<Desk>,
}

/// The part of an entry that is changed under its lock.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) actor: Option<ActorRef<TaskMsg>>,
    /// What a Create asked for, until the connector is called with it.
    pub(super) request: Option<Arc<TaskRequest>>,
    /// How the Create ended, once it has.
    pub(super) creation: Option<Result<(), TaskError>>,
    pub(super) deletion: Deletion,
    pub(super) history: History,
    pub(super) restarts: RestartBudget,
    /// The schedule of an actor that a connector's panic stopped.
    pub(super) schedule: Option<Schedule>,
    /// How many Creates share the task, beyond the first: equal plain metas.
    pub(super) sharers: u32,
    /// The actor has left: whoever still holds the entry must look again.
    pub(super) left: bool,
    gauge: Option<TaskGauge>,
}

/// Where a delete stands.
#[derive(Debug, Clone, Default)]
pub(super) enum Deletion {
    /// Nobody asked for one.
    #[default]
    None,
    /// The actor tries until the backend confirms.
    Wanted { since: Instant, attempts: u32, last: Option<ConnectorError> },
    /// The backend refused for good; the next Delete tries again.
    Refused(ConnectorError),
    /// The backend confirmed, at this time.
    Done(Instant),
}

/// What identifies a new entry.
pub(super) struct NewEntry {
    pub(super) id: Uuid,
    pub(super) category: TaskCategory,
    pub(super) connector: Connector,
    pub(super) execution: Option<ExecutionId>,
    pub(super) created: SystemTime,
    pub(super) deadline: Option<SystemTime>,
    pub(super) create_key: Option<[u8; 16]>,
    pub(super) metrics: Arc<TaskMetrics>,
    pub(super) snapshot: Snapshot,
}

impl TaskEntry {
    pub(super) fn new(new: NewEntry) -> Self {
        Self {
            id: new.id,
            category: new.category,
            connector: new.connector,
            execution: new.execution,
            created: new.created,
            deadline: new.deadline,
            create_key: new.create_key,
            metrics: new.metrics,
            born: Instant::now(),
            job: OnceLock::new(),
            handle: OnceLock::new(),
            snapshot: ArcSwap::from_pointee(new.snapshot),
            changed: Notify::new(),
            asked: AtomicU64::new(0),
            told: AtomicU64::new(0),
            polled: AtomicU64::new(0),
            desk: Mutex::default(),
        }
    }

    /// The job, once it is known.
    pub(super) fn job(&self) -> Option<&Arc<dyn Job>> {
        self.job.get()
    }

    /// Binds the entry to its job. A second job is ignored.
    pub(super) fn set_job(&self, job: Arc<dyn Job>) {
        let _ = self.job.set(job);
    }

    /// The handle that callers have, once there is one.
    pub(super) fn handle(&self) -> Option<&Bytes> {
        self.handle.get().map(|(_, handle)| handle)
    }

    /// Where the index has the entry.
    pub(super) fn key(&self) -> Option<TaskKey> {
        self.handle.get().map(|(key, _)| *key)
    }

    /// Gives the entry its handle. A second handle is ignored.
    pub(super) fn set_handle(&self, key: TaskKey, handle: Bytes) {
        let _ = self.handle.set((key, handle));
    }

    /// True for the tasks of sync connectors.
    pub(super) fn is_sync(&self) -> bool {
        self.connector.is_sync()
    }

    /// The state published last.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Publishes a state and wakes who waits for it.
    pub(super) fn publish(&self, mut next: Snapshot) {
        let before = self.snapshot();
        next.number = before.number + 1;
        let phase = next.phase;
        self.snapshot.store(Arc::new(next));
        self.count_phase(phase);
        if phase.is_terminal() && !before.phase.is_terminal() {
            self.metrics.ended(phase.as_str_name());
        }
        self.changed.notify_waiters();
    }

    /// Ends the task by our own decision, unless it has ended: its job is to be
    /// deleted, because callers send no Delete after a terminal phase.
    pub(super) fn end(&self, at: SystemTime, phase: Phase, cause: ConnectorError) {
        let before = self.snapshot();
        if before.phase.is_terminal() {
            return;
        }
        let message = cause.message().into();
        self.change(|desk| {
            desk.history.record(at, Event::Ended { phase, message });
            desk.deletion.want();
        });
        self.publish(before.decided(phase, cause));
    }

    /// Counts the task among those of this phase.
    pub(super) fn count_phase(&self, phase: Phase) {
        let gauge = self.metrics.gauge(phase.as_str_name());
        self.desk().gauge = Some(gauge);
    }

    /// The desk. Never hold it across an `.await`.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the desk and wakes who waits for a change.
    pub(super) fn change<T>(&self, edit: impl FnOnce(&mut Desk) -> T) -> T {
        let value = edit(&mut self.desk());
        self.changed.notify_waiters();
        value
    }

    /// Sends the actor a message. An actor that is being restarted gets none:
    /// it begins by looking at the desk.
    pub(super) fn send(&self, message: TaskMsg) {
        let actor = self.desk().actor.clone();
        if let Some(actor) = actor {
            let _ = actor.send_message(message);
        }
    }

    /// Waits until `look` finds something, until the deadline.
    pub(super) async fn wait_for<T>(
        &self,
        deadline: Instant,
        look: impl Fn(&Self) -> Option<T>,
    ) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Enabled before the look, so that no change is missed between.
            changed.as_mut().enable();
            if let Some(found) = look(self) {
                return Some(found);
            }
            if timeout_at(deadline, changed).await.is_err() {
                return look(self);
            }
        }
    }

    /// Notes that somebody asks about the task.
    pub(super) fn touch(&self) {
        self.asked.store(self.age_ms(), Ordering::Relaxed);
    }

    /// How long nobody has asked about the task.
    pub(super) fn unasked_for(&self) -> Duration {
        Duration::from_millis(self.age_ms().saturating_sub(self.asked.load(Ordering::Relaxed)))
    }

    /// Notes that a caller was told the terminal phase.
    pub(super) fn tell_end(&self) {
        let told = self.age_ms() + 1;
        // Only the first time counts, so a failed exchange is what is wanted.
        let _ = self.told.compare_exchange(0, told, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// How long ago a caller was told the terminal phase.
    pub(super) fn told_for(&self) -> Option<Duration> {
        self.since(&self.told)
    }

    /// Notes that a poll has found out the job's state.
    pub(super) fn note_poll(&self) {
        self.polled.store(self.age_ms() + 1, Ordering::Relaxed);
    }

    /// How long ago a poll last found out the job's state.
    pub(super) fn polled_for(&self) -> Option<Duration> {
        self.since(&self.polled)
    }

    /// How long this process has had the task.
    pub(super) fn held_for(&self) -> Duration {
        Duration::from_millis(self.age_ms())
    }

    /// The name of the execution, for log lines.
    pub(super) fn execution_name(&self) -> &str {
        self.execution.as_ref().map_or("", |execution| &execution.name)
    }

    /// The envelope around a connector's meta.
    pub(super) fn envelope(&self, meta: Bytes) -> Bytes {
        Handle {
            task_id: self.id,
            created: self.created,
            deadline: self.deadline,
            execution: self.execution.clone(),
            create_key: self.create_key,
            connector: self.connector.name().to_owned(),
            trace_context: Bytes::new(),
            meta,
            sync: self.is_sync(),
        }
        .encode()
    }

    /// How long ago it was, by milliseconds after `born` plus one.
    fn since(&self, mark: &AtomicU64) -> Option<Duration> {
        let at = mark.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.age_ms().saturating_sub(at)))
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Desk {
    /// The actor leaves.
    pub(super) fn leave(&mut self) {
        self.left = true;
        self.actor = None;
        self.gauge = None;
    }
}

impl Deletion {
    /// Asks for the delete, unless one is under way or done.
    pub(super) fn want(&mut self) {
        if matches!(self, Self::None | Self::Refused(_)) {
            *self = Self::Wanted { since: Instant::now(), attempts: 0, last: None };
        }
    }

    /// True if the job is not polled any more on its account.
    pub(super) fn stops_polls(&self) -> bool {
        matches!(self, Self::Wanted { .. } | Self::Done(_))
    }

    /// True while the actor has a delete to bring about.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted { .. })
    }
}
