//! The actor that supervises every task's actor.

use std::{sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::time::Instant;

use super::{
    desk::Creation, entry::TaskEntry, history::Event, line::line, task::ConnectorPanic,
    tasks::Shared,
};
use crate::connector::{ConnectorError, Phase};

/// Restarts a task's actor when it stops of a panic, from what the entry keeps.
pub(super) struct TaskRegistry;

pub(super) enum RegistryMsg {
    /// The pause before a restart is over.
    Restart(Arc<TaskEntry>),
}

impl Actor for TaskRegistry {
    type Msg = RegistryMsg;
    type State = Arc<Shared>;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        shared: Arc<Shared>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(shared)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        shared: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegistryMsg::Restart(entry) => {
                if let Err(error) = shared.spawn(&entry) {
                    line!(error, entry, %error, "cannot restart the task");
                }
            }
        }
        Ok(())
    }

    // ractor's own version stops the supervisor with its first child.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        shared: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, _, _) => {
                shared.index.remove_actor(actor.get_id());
                shared.room.freed();
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                if let Some(entry) = shared.index.remove_actor(actor.get_id()) {
                    restart(shared, &myself, entry, &Exit::from(error));
                }
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

/// Why an actor stopped against its will.
struct Exit {
    /// The value of the label `cause`.
    label: &'static str,
    cause: String,
}

impl From<ActorProcessingErr> for Exit {
    fn from(error: ActorProcessingErr) -> Self {
        let label = match error.downcast_ref::<ConnectorPanic>() {
            Some(_) => "connector_panic",
            None => "actor_panic",
        };
        Self { label, cause: error.to_string() }
    }
}

fn restart(shared: &Shared, myself: &ActorRef<RegistryMsg>, entry: Arc<TaskEntry>, exit: &Exit) {
    let at = shared.world.now();
    entry.kind.metrics.restarted(exit.label);
    line!(warn, entry, label = exit.label, cause = exit.cause, "the task's actor stopped");
    if entry.job().is_none() && !entry.snapshot().phase.is_terminal() {
        // Released first: whoever hears of the failure may try again.
        shared.index.remove(&entry);
        entry.change(|desk| {
            desk.creation = Creation::Failed(Box::new(entry.create_fault(exit.cause.clone())));
            desk.leave();
        });
        return;
    }
    let pause = entry.change(|desk| {
        let cause = exit.cause.as_str().into();
        desk.history.record(at, Event::Restarted { cause });
        let polls = desk.schedule.as_ref().map_or(0, |schedule| schedule.polls());
        desk.restarts.get_or_insert_default().take(Instant::now(), polls)
    });
    let pause = pause.unwrap_or_else(|| {
        // The budget is spent: one more start, to delete the job.
        let cause = format!("restarted too often, the last time because {}", exit.cause);
        shared.end(&entry, Phase::RetryableFailed, ConnectorError::permanent(cause));
        Duration::ZERO
    });
    myself.send_after(pause, move || RegistryMsg::Restart(entry));
}
