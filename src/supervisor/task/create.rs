//! Starting the job.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Running, TaskMsg, TaskState};
use crate::{
    config::HandleFormat,
    connector::{Connector, ConnectorError, Job, Phase},
    supervisor::{
        TaskError,
        call::{self, Outcome},
        desk::{Asked, Creation},
        history::Event,
        line::line,
        snapshot::Snapshot,
    },
    telemetry::Operation,
    wire::handle::MAX_LEN,
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a caller's deadline must leave for the last try and the reply.
const TIME_TO_REPLY: Duration = Duration::from_millis(500);

impl TaskState {
    /// Calls the connector's `create`. It runs to its end whatever becomes of
    /// the caller.
    pub(super) fn create(&mut self, asked: Box<Asked>) {
        let Connector::Async(connector) = &self.entry.kind.connector else {
            return;
        };
        let connector = connector.clone();
        let myself = self.myself.clone();
        let request = asked.request.clone();
        // Kept for a backend that turns out not to have been reached.
        self.asked = Some(asked);
        self.call = Some(Running::Create(call::start(
            self.shared.settings.create_limit,
            self.scope(Operation::Create),
            connector.create(request),
            move |outcome| {
                let _ = myself.send_message(TaskMsg::Created(outcome));
            },
        )));
    }

    /// The job is there, or was refused.
    pub(super) fn created(&mut self, outcome: Outcome<Arc<dyn Job>>) {
        self.call = None;
        let asked = self.asked.take();
        if let (Outcome::Returned(Err(error)), Some(asked)) = (&outcome, asked)
            && !error.was_sent()
            && let Some(pause) = self.pause_before_next_create(asked.until)
        {
            line!(debug, self.entry, %error, "the backend was not reached, create again");
            self.entry.desk().asked = Some(asked);
            return self.plan(pause, || TaskMsg::Start);
        }
        let created = match outcome.into_result("create") {
            Ok(Ok(job)) => self.bind(job),
            Ok(Err(error)) => {
                self.note_fault(Operation::Create, error.class().as_str(), error.message());
                Err(TaskError::Connector {
                    operation: "create",
                    task_type: self.entry.kind.category.name.clone(),
                    error,
                })
            }
            Err(cause) => {
                self.note_fault(Operation::Create, "panic", &cause);
                Err(self.entry.create_fault(cause))
            }
        };
        match created {
            Ok((creation, shared)) => {
                self.entry.change(|desk| desk.creation = creation);
                if shared {
                    self.leave();
                } else {
                    self.start();
                }
            }
            Err(error) => {
                line!(warn, self.entry, %error, "create failed");
                self.shared.tell_create(&self.entry, Some(&error.to_string()));
                // Released first: whoever hears of the failure may try again.
                self.shared.index.remove(&self.entry);
                self.entry.change(|desk| desk.creation = Creation::Failed(Box::new(error)));
                if self.entry.job().is_some() {
                    // It is there, and nobody will have a handle of it.
                    self.entry.change(|desk| desk.deletion.want());
                    self.delete();
                } else {
                    self.leave();
                }
            }
        }
    }

    /// The pause before a create that did not reach the backend is tried again,
    /// if its caller still waits by then.
    fn pause_before_next_create(&mut self, until: Option<Instant>) -> Option<Duration> {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.unreached.min(16)).min(LONGEST_PAUSE);
        let pause = pause.mul_f64(0.75 + 0.5 * self.roll());
        self.unreached += 1;
        (Instant::now() + pause + TIME_TO_REPLY < until?).then_some(pause)
    }

    /// Gives the task its job and its handle, and puts it into the index: true
    /// if the index has a task with an equal (plain) handle already.
    fn bind(&mut self, job: Arc<dyn Job>) -> Result<(Creation, bool), TaskError> {
        let entry = &self.entry;
        entry.set_job(job.clone());
        let meta = job.meta().map_err(|error| entry.create_fault(error.to_string()))?;
        let (handle, creation): (_, fn(_) -> _) = match self.shared.settings.handle {
            HandleFormat::Envelope => (entry.envelope(meta), Creation::New),
            HandleFormat::Plain => (meta.into(), Creation::Other),
        };
        if handle.len() > MAX_LEN {
            return Err(self.too_long(handle.len()));
        }
        let key = self.shared.index.key(&entry.kind.category, &handle);
        let links = job.log_links();
        entry.set_key(key);
        entry.publish(Snapshot::unpolled(Phase::Initializing, links));
        let at = self.shared.world.now();
        entry.change(|desk| desk.history.record(at, Event::Created));
        line!(info, entry, "created");
        self.shared.tell_create(entry, None);
        let same = || Ok::<_, TaskError>(entry.clone());
        let (held, inserted) = self.shared.index.by_handle_or(key, same)?;
        if !inserted {
            held.change(|desk| desk.sharers += 1);
        }
        Ok((creation(handle.into()), !inserted))
    }

    /// A handle that no process would read: propeller keeps it in etcd, where a
    /// whole workflow has little more.
    fn too_long(&self, length: usize) -> TaskError {
        let error = ConnectorError::invalid(format!(
            "the task takes {length} bytes as resource_meta, and at most {MAX_LEN} are possible; \
             pass its largest inputs by reference"
        ));
        let task_type = self.entry.kind.category.name.clone();
        TaskError::Connector { operation: "create", task_type, error }
    }

    /// The time that is left until the deadline, if one is enforced.
    pub(super) fn until_deadline(&self) -> Option<Duration> {
        let deadline = self.entry.deadline?;
        let left = deadline.duration_since(self.shared.world.now());
        Some(left.unwrap_or_default())
    }
}
