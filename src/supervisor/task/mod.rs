//! The actor of one task.
//!
//! It never waits in a handler: a call of the connector is a child task that
//! reports back by message, and a pause is a timer that sends one.

mod create;
mod delete;
mod leave;
mod poll;
mod read;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    call::{Call, Outcome, Scope},
    entry::TaskEntry,
    faults::Fault,
    gate::PollPermit,
    schedule::Schedule,
    tasks::Shared,
    world::whole_millis,
};
use crate::{
    connector::{Job, LogQuery, LogStream, MetricsQuery, Resource, TaskRequest},
    telemetry::Operation,
    wire::flyteidl::core::ExecutionMetricResult,
};

/// Creates, polls and deletes one job.
pub(super) struct TaskActor;

/// What a [`TaskActor`] is told.
pub(super) enum TaskMsg {
    /// Go on from what the entry says: the first message of every start.
    Start,
    /// The connector's `create` is over.
    Created(Outcome<Arc<dyn Job>>),
    /// It is time to poll.
    Poll,
    /// The connector says that the job has changed: poll before the time.
    Changed,
    /// It is this task's turn to poll.
    Admitted(PollPermit),
    /// A higher attempt of the node has come.
    Superseded,
    /// Room is short: leave if nothing is left to do.
    MakeRoom,
    /// A deleted task is asked about: look at the backend once more.
    Look,
    /// The connector's `get` is over.
    Polled(Outcome<Resource>),
    /// A delete is wanted, or due again.
    Delete,
    /// The connector's `delete` is over.
    Deleted(Outcome<()>),
    /// It is time to see whether the task may leave.
    Leave,
    /// The connector's log is asked for.
    Logs(LogQuery, RpcReplyPort<Outcome<Option<LogStream>>>),
    /// The connector's measurements are asked for.
    Metrics(MetricsQuery, RpcReplyPort<Outcome<Option<Vec<ExecutionMetricResult>>>>),
}

/// A connector's `get` panicked: the actor stops and is started again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ConnectorPanic(String);

/// The state of a [`TaskActor`].
pub(super) struct TaskState {
    shared: Arc<Shared>,
    entry: Arc<TaskEntry>,
    myself: ActorRef<TaskMsg>,
    schedule: Schedule,
    /// The call of the connector that is under way.
    call: Option<Running>,
    /// A poll waits for its turn.
    queued: bool,
    /// What is being created.
    request: Option<Arc<TaskRequest>>,
    /// Creates that did not reach the backend.
    unreached: u32,
    /// Reads of logs and measurements that are under way.
    reads: Vec<Call>,
    timer: Option<JoinHandle<()>>,
    /// When the timer was to go off.
    due: Instant,
}

/// A call under way: dropping it aborts the call.
enum Running {
    Create(#[expect(dead_code, reason = "held for its drop")] Call),
    Poll {
        #[expect(dead_code, reason = "held for its drop")]
        call: Call,
        began: Instant,
        #[expect(dead_code, reason = "held for its drop")]
        permit: Option<PollPermit>,
    },
    Delete {
        #[expect(dead_code, reason = "held for its drop")]
        call: Call,
        began: Instant,
    },
}

impl Actor for TaskActor {
    type Msg = TaskMsg;
    type State = TaskState;
    type Arguments = (Arc<Shared>, Arc<TaskEntry>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (shared, entry): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let now = Instant::now();
        let parked = entry.desk().schedule.take();
        let schedule = parked.unwrap_or_else(|| {
            let policy = match &entry.connector {
                crate::connector::Connector::Async(connector) => {
                    connector.poll_policy(shared.polling.clone())
                }
                crate::connector::Connector::Sync(_) => shared.polling.clone(),
            };
            Schedule::new(policy, now)
        });
        Ok(TaskState {
            shared,
            entry,
            myself,
            schedule,
            call: None,
            queued: false,
            request: None,
            unreached: 0,
            reads: Vec::new(),
            timer: None,
            due: now,
        })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        task: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            TaskMsg::Start => task.start(),
            TaskMsg::Created(outcome) => task.created(outcome),
            TaskMsg::Poll => task.poll_in_time(),
            TaskMsg::Changed => task.poll_early(),
            TaskMsg::Admitted(permit) => task.admitted(permit),
            TaskMsg::Superseded => task.superseded(),
            TaskMsg::MakeRoom => task.make_room(),
            TaskMsg::Look => task.look(),
            TaskMsg::Polled(outcome) => task.polled(outcome)?,
            TaskMsg::Delete => task.delete(),
            TaskMsg::Deleted(outcome) => task.deleted(outcome),
            TaskMsg::Leave => task.leave_if_due(),
            TaskMsg::Logs(query, reply) => task.read_logs(query, reply),
            TaskMsg::Metrics(query, reply) => task.read_metrics(query, reply),
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Self::Msg>,
        task: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        task.cancel_timer();
        Ok(())
    }
}

impl TaskState {
    /// Takes up the task where the entry says it stands.
    fn start(&mut self) {
        let request = self.entry.desk().request.take();
        if let Some(request) = request {
            self.create(request);
        } else if self.delete_is_wanted() {
            self.delete();
        } else if self.entry.snapshot().phase.is_terminal() || self.is_deleted() {
            self.plan_leave();
        } else {
            self.due = Instant::now();
            self.poll();
        }
    }

    /// Sends this actor a message after a pause, instead of whatever was
    /// planned before.
    fn plan(&mut self, pause: Duration, message: fn() -> TaskMsg) {
        self.cancel_timer();
        self.due = Instant::now() + whole_millis(pause);
        let myself = self.myself.clone();
        let due = self.due;
        self.timer = Some(tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            let _ = myself.send_message(message());
        }));
    }

    /// Plans the next poll after a pause, or when the connector says that the
    /// job has changed, whichever comes first.
    fn plan_poll(&mut self, pause: Duration) {
        let Some(changed) = self.entry.job().and_then(|job| job.changed()) else {
            return self.plan(pause, || TaskMsg::Poll);
        };
        self.cancel_timer();
        let now = Instant::now();
        self.due = now + whole_millis(pause);
        let (due, rested) = (self.due, now + self.schedule.rest());
        let myself = self.myself.clone();
        self.timer = Some(tokio::spawn(async move {
            let early = async {
                // A panic of the connector costs the early poll and no more.
                if AssertUnwindSafe(changed).catch_unwind().await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep_until(rested).await;
            };
            let message = tokio::select! {
                () = tokio::time::sleep_until(due) => TaskMsg::Poll,
                () = early => TaskMsg::Changed,
            };
            let _ = myself.send_message(message);
        }));
    }

    fn cancel_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
    }

    /// Keeps a failed call as the last error of the connector.
    fn note_fault(&self, operation: Operation, class: &'static str, cause: &str) {
        let fault = Fault {
            at: self.shared.world.now(),
            operation,
            task_id: self.entry.id,
            class,
            message: cause.to_owned(),
        };
        self.shared.faults.note(self.entry.connector.name(), fault);
    }

    /// What a call of the connector runs in.
    fn scope(&self, operation: Operation) -> Scope {
        self.shared.scope(&self.entry, operation.as_str())
    }

    fn roll(&self) -> f64 {
        self.shared.world.randomness.roll()
    }
}
