//! The actor of one task.
//!
//! It never waits in a handler: a call of the connector is a child task that
//! reports back by message, and a pause is a timer that sends one.

mod changed;
mod create;
mod delete;
mod leave;
mod poll;
mod read;

use std::{
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::time::Instant;

use changed::Awaited;

use super::{
    call::{Call, Outcome, Scope},
    desk::Asked,
    entry::TaskEntry,
    faults::Fault,
    gate::PollPermit,
    schedule::Schedule,
    tasks::Shared,
    timers::Ticket,
    world::whole_millis,
};
use crate::{
    connector::{Job, LogQuery, LogStream, MetricsQuery, Resource},
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
    /// The connector's word that the job has changed may have come.
    Stirred,
    /// It is this task's turn to poll.
    Admitted(PollPermit),
    /// A higher attempt of the node has come.
    Superseded,
    /// Room is short: leave if nothing is left to do.
    MakeRoom,
    /// A deleted task is asked about: look at the backend once more.
    Look,
    /// The connector's `get` is over.
    Polled(Box<Outcome<Resource>>),
    /// A delete is wanted, or due again.
    Delete,
    /// The connector's `delete` is over.
    Deleted(Outcome<()>),
    /// It is time to see whether the task may leave.
    Leave,
    /// The connector's log is asked for.
    Logs(LogQuery, RpcReplyPort<Outcome<Option<LogStream>>>),
    /// The connector's measurements are asked for.
    Metrics(Box<MetricsQuery>, RpcReplyPort<Outcome<Option<Vec<ExecutionMetricResult>>>>),
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
    asked: Option<Box<Asked>>,
    /// Creates that did not reach the backend.
    unreached: u32,
    /// Reads of logs and measurements that are under way.
    reads: Vec<Call>,
    timer: Option<Ticket>,
    awaited: Option<Awaited>,
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

    fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (shared, entry): Self::Arguments,
    ) -> impl Future<Output = Result<Self::State, ActorProcessingErr>> + Send {
        ready(Ok(TaskState::new(shared, entry, myself)))
    }

    fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        task: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        ready(task.told(message).map_err(ActorProcessingErr::from))
    }

    // It has no children. ractor's own version makes each actor larger.
    fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        _event: SupervisionEvent,
        _task: &mut Self::State,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        ready(Ok(()))
    }
}

impl Drop for TaskState {
    fn drop(&mut self) {
        self.cancel_timer();
    }
}

impl TaskState {
    fn new(shared: Arc<Shared>, entry: Arc<TaskEntry>, myself: ActorRef<TaskMsg>) -> Self {
        let now = Instant::now();
        let parked = entry.desk().schedule.take();
        let schedule = parked.map_or_else(|| Schedule::new(now), |parked| *parked);
        Self {
            shared,
            entry,
            myself,
            schedule,
            call: None,
            queued: false,
            asked: None,
            unreached: 0,
            reads: Vec::new(),
            timer: None,
            awaited: None,
            due: now,
        }
    }

    // Not async, nor is anything below it: what a future of an actor holds,
    // a million actors hold.
    fn told(&mut self, message: TaskMsg) -> Result<(), ConnectorPanic> {
        match message {
            TaskMsg::Start => self.start(),
            TaskMsg::Created(outcome) => self.created(outcome),
            TaskMsg::Poll => self.poll_in_time(),
            TaskMsg::Changed => self.poll_early(),
            TaskMsg::Stirred => self.stirred(),
            TaskMsg::Admitted(permit) => self.admitted(permit),
            TaskMsg::Superseded => self.superseded(),
            TaskMsg::MakeRoom => self.make_room(),
            TaskMsg::Look => self.look(),
            TaskMsg::Polled(outcome) => self.polled(*outcome)?,
            TaskMsg::Delete => self.delete(),
            TaskMsg::Deleted(outcome) => self.deleted(outcome),
            TaskMsg::Leave => self.leave_if_due(),
            TaskMsg::Logs(query, reply) => self.read_logs(query, reply),
            TaskMsg::Metrics(query, reply) => self.read_metrics(*query, reply),
        }
        Ok(())
    }

    /// Takes up the task where the entry says it stands.
    fn start(&mut self) {
        let asked = self.entry.desk().asked.take();
        if let Some(asked) = asked {
            self.create(asked);
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
        self.plan_at(Instant::now() + whole_millis(pause), message);
    }

    fn plan_at(&mut self, due: Instant, message: fn() -> TaskMsg) {
        self.cancel_timer();
        self.due = due;
        self.timer = Some(self.shared.timers.set(due, self.myself.clone(), message));
    }

    /// Plans the next poll after a pause, or when the connector says that the
    /// job has changed, whichever comes first.
    fn plan_poll(&mut self, pause: Duration) {
        self.plan(pause, || TaskMsg::Poll);
        self.await_change();
    }

    fn cancel_timer(&mut self) {
        self.awaited = None;
        if let Some(timer) = self.timer.take() {
            self.shared.timers.cancel(timer, self.myself.get_id());
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
        self.shared.faults.note(self.entry.kind.connector.name(), fault);
    }

    /// What a call of the connector runs in.
    fn scope(&self, operation: Operation) -> Scope {
        self.shared.scope(&self.entry, operation.as_str())
    }

    fn roll(&self) -> f64 {
        self.shared.world.randomness.roll()
    }
}
