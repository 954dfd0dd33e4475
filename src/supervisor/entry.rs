//! What is known of a task outside of its actor, and outlives a panic of it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use super::{
    TaskError,
    desk::{Deletion, Desk},
    history::Event,
    index::{CreateKey, NodeKey, TaskKey},
    kind::Kind,
    snapshot::Snapshot,
    task::TaskMsg,
};
use crate::{
    connector::{ConnectorError, Job, MetaError, Phase},
    telemetry::TaskTrace,
    wire::{ExecutionId, handle::Handle},
};

/// One task: shared by its actor, which alone changes it, and by handlers,
/// which read it and wait for changes.
pub(super) struct TaskEntry {
    pub(super) id: Uuid,
    pub(super) kind: Arc<Kind>,
    pub(super) execution: Option<ExecutionId>,
    pub(super) created: SystemTime,
    pub(super) deadline: Option<SystemTime>,
    pub(super) create_key: Option<CreateKey>,
    /// How many jobs the key has had before this one.
    pub(super) generation: u32,
    pub(super) node_key: Option<NodeKey>,
    pub(super) trace: TaskTrace,
    /// The folder for outputs, for spans; none if there are no traces.
    pub(super) output_prefix: Option<Box<str>>,
    /// The start of the times kept as atomics.
    born: Instant,
    /// Set once the job is known: at once for an adopted task.
    job: OnceLock<Arc<dyn Job>>,
    /// Set once the task has a handle: never for ExecuteTaskSync.
    key: OnceLock<TaskKey>,
    snapshot: ArcSwap<Snapshot>,
    /// How many snapshots were published, so that a reader can wait for the
    /// next.
    published: AtomicU32,
    changed: Notify,
    /// Milliseconds after `born`.
    asked: AtomicU64,
    /// Milliseconds after `born`, plus one; 0 while nobody knows the end.
    told: AtomicU64,
    /// Milliseconds after `born`, plus one; 0 while no poll has succeeded.
    polled: AtomicU64,
    /// When the terminal phase was reached, in the same way.
    ended: AtomicU64,
    /// When a caller left its Create before the reply, in the same way.
    abandoned: AtomicU64,
    // A mutex, because intents come from handlers and are read by the actor;
    // it is held for a few instructions only.
    desk: Mutex<Desk>,
}

/// What identifies a new entry.
pub(super) struct NewEntry {
    pub(super) id: Uuid,
    pub(super) kind: Arc<Kind>,
    pub(super) execution: Option<ExecutionId>,
    pub(super) created: SystemTime,
    pub(super) deadline: Option<SystemTime>,
    pub(super) create_key: Option<CreateKey>,
    pub(super) generation: u32,
    pub(super) node_key: Option<NodeKey>,
    pub(super) snapshot: Snapshot,
    pub(super) trace: TaskTrace,
    pub(super) output_prefix: Option<Box<str>>,
}

impl TaskEntry {
    pub(super) fn new(new: NewEntry) -> Self {
        Self {
            id: new.id,
            kind: new.kind,
            execution: new.execution,
            created: new.created,
            deadline: new.deadline,
            create_key: new.create_key,
            generation: new.generation,
            node_key: new.node_key,
            trace: new.trace,
            output_prefix: new.output_prefix,
            born: Instant::now(),
            job: OnceLock::new(),
            key: OnceLock::new(),
            snapshot: ArcSwap::new(new.snapshot.kept()),
            published: AtomicU32::new(0),
            changed: Notify::new(),
            asked: AtomicU64::new(0),
            told: AtomicU64::new(0),
            polled: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
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

    /// Where the index has the entry, once there is a handle.
    pub(super) fn key(&self) -> Option<TaskKey> {
        self.key.get().copied()
    }

    /// Notes where the index is to have the entry. A second key is ignored.
    pub(super) fn set_key(&self, key: TaskKey) {
        let _ = self.key.set(key);
    }

    /// The handle that the entry itself stands for, once the job is known.
    pub(super) fn own_handle(&self) -> Result<Vec<u8>, MetaError> {
        match self.job() {
            Some(job) if !self.is_sync() => Ok(self.envelope(job.meta()?)),
            _ => Ok(self.envelope(Bytes::new())),
        }
    }

    /// True for the tasks of sync connectors.
    pub(super) fn is_sync(&self) -> bool {
        self.kind.connector.is_sync()
    }

    /// The state published last.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// How many states were published.
    pub(super) fn published(&self) -> u32 {
        self.published.load(Ordering::Acquire)
    }

    /// Publishes a state and wakes who waits for it.
    pub(super) fn publish(&self, next: Snapshot) {
        let phase = next.phase;
        let settled = next.is_settled();
        let before = self.snapshot.swap(next.kept());
        self.published.fetch_add(1, Ordering::Release);
        if before.phase != phase {
            self.count_phase(phase);
        }
        let ended = phase.is_terminal() && !before.phase.is_terminal();
        if ended {
            self.kind.metrics.ended(phase.as_str_name());
            self.mark(&self.ended);
        }
        self.change(|desk| {
            if settled {
                desk.adoption = None;
            }
        });
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
        let gauge = self.kind.metrics.gauge(phase.as_str_name());
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
        // At least 1: 0 says that nobody has asked.
        self.asked.store(self.age_ms().max(1), Ordering::Relaxed);
    }

    /// How long nobody has asked about the task.
    pub(super) fn unasked_for(&self) -> Duration {
        Duration::from_millis(self.age_ms().saturating_sub(self.asked.load(Ordering::Relaxed)))
    }

    /// True if anybody has asked about the task.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) > 0
    }

    /// Notes that a caller left its Create before the reply.
    pub(super) fn abandon(&self) {
        self.mark(&self.abandoned);
        self.changed.notify_waiters();
    }

    /// The handle for a caller of a Create that has succeeded.
    pub(super) fn reply(&self) -> Result<Bytes, MetaError> {
        let kept = {
            let mut desk = self.desk();
            desk.replied = true;
            desk.creation.give()
        };
        kept.map_or_else(|| self.own_handle().map(Bytes::from), Ok)
    }

    /// What a Create answers that failed here, not at the backend.
    pub(super) fn create_fault(&self, cause: String) -> TaskError {
        TaskError::Fault { operation: "create", task_type: self.kind.category.name.clone(), cause }
    }

    /// How long ago the Create was abandoned, if nobody has the handle or has
    /// asked about the task.
    pub(super) fn abandoned_for(&self) -> Option<Duration> {
        if self.was_asked() {
            return None;
        }
        self.since(&self.abandoned).filter(|_| !self.desk().replied)
    }

    /// True if the key of the Create is free for a new job: this one was
    /// deleted, and not by our own decision.
    pub(super) fn is_released(&self) -> bool {
        !self.snapshot().decided && matches!(self.desk().deletion, Deletion::Done(_))
    }

    /// The attempt of the node.
    pub(super) fn attempt(&self) -> u32 {
        self.execution.as_ref().map_or(0, |execution| execution.attempt)
    }

    /// Notes that a caller was told the terminal phase: true the first time.
    pub(super) fn tell_end(&self) -> bool {
        let told = self.age_ms() + 1;
        self.told.compare_exchange(0, told, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// How long ago a caller was told the terminal phase.
    pub(super) fn told_for(&self) -> Option<Duration> {
        self.since(&self.told)
    }

    /// Notes that a poll has found out the job's state.
    pub(super) fn note_poll(&self) {
        self.mark(&self.polled);
    }

    /// How long ago a poll last found out the job's state.
    pub(super) fn polled_for(&self) -> Option<Duration> {
        self.since(&self.polled)
    }

    /// How long ago this process learned of the terminal phase.
    pub(super) fn ended_for(&self) -> Option<Duration> {
        self.since(&self.ended)
    }

    /// How long this process has had the task.
    pub(super) fn held_for(&self) -> Duration {
        Duration::from_millis(self.age_ms())
    }

    /// The envelope around a connector's meta.
    pub(super) fn envelope(&self, meta: Bytes) -> Vec<u8> {
        Handle {
            task_id: self.id,
            created: self.created,
            deadline: self.deadline,
            execution: self.execution.clone(),
            create_key: self.create_key,
            connector: self.kind.connector.name().to_owned(),
            trace_context: self.trace.encode(),
            meta,
            sync: self.is_sync(),
        }
        .encode()
    }

    fn mark(&self, mark: &AtomicU64) {
        mark.store(self.age_ms() + 1, Ordering::Relaxed);
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
