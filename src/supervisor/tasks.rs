//! The supervisor as handlers see it.

use std::{
    num::NonZero,
    sync::{Arc, OnceLock},
};

use dashmap::DashMap;
use futures::FutureExt;
use ractor::{Actor, ActorCell, ActorRuntime, SpawnErr};

use tokio::sync::Semaphore;

use super::{
    TaskError, World,
    entry::TaskEntry,
    faults::Faults,
    gate::Gate,
    index::Index,
    kind::Kinds,
    registry::TaskRegistry,
    results::Results,
    room::Room,
    rounds::Rounds,
    schedule::Patience,
    task::{TaskActor, TaskMsg},
    timers::Timers,
};
use crate::{
    config,
    connector::{Connector, ConnectorRegistry, PollPolicy},
    telemetry::{Metrics, Traces},
};

/// All tasks of a service: what handlers ask for Creates, Gets and Deletes.
/// Cheap to clone.
#[derive(Clone)]
pub struct Tasks(pub(super) Arc<Shared>);

/// What every actor of one service shares.
pub(super) struct Shared {
    pub(super) settings: config::Tasks,
    pub(super) polling: PollPolicy,
    max_polls: usize,
    poll_rate: Option<NonZero<u32>>,
    pub(super) connectors: Arc<ConnectorRegistry>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) world: World,
    pub(super) traces: Traces,
    pub(super) index: Index,
    pub(super) faults: Faults,
    pub(super) room: Room,
    pub(super) rounds: Rounds,
    pub(super) results: Results,
    pub(super) timers: Timers,
    /// Adopted tasks whose first poll is not over.
    pub(super) adoptions: Arc<Semaphore>,
    pub(super) kinds: Kinds,
    gates: DashMap<String, Arc<Gate>>,
    registry: OnceLock<ActorCell>,
}

impl Tasks {
    /// Starts the actor that supervises all tasks.
    ///
    /// # Errors
    /// If the actor cannot be spawned.
    pub async fn start(
        config: &config::Config,
        connectors: Arc<ConnectorRegistry>,
        metrics: Arc<Metrics>,
        world: World,
    ) -> Result<Self, SpawnErr> {
        Self::start_traced(config, connectors, metrics, world, Traces::off()).await
    }

    /// As [`Tasks::start`], with a trace for each task.
    ///
    /// # Errors
    /// If the actor cannot be spawned.
    pub async fn start_traced(
        config: &config::Config,
        connectors: Arc<ConnectorRegistry>,
        metrics: Arc<Metrics>,
        world: World,
        traces: Traces,
    ) -> Result<Self, SpawnErr> {
        let shared = Arc::new(Shared {
            settings: config.tasks.clone(),
            polling: PollPolicy::from(&config.polling),
            max_polls: config.polling.max_in_flight,
            poll_rate: config.polling.rate,
            connectors,
            metrics,
            room: Room::new(&config.tasks),
            rounds: Rounds::default(),
            results: Results::new(
                usize::try_from(config.tasks.max_result_size.as_u64()).unwrap_or(usize::MAX),
            ),
            timers: Timers::start(),
            adoptions: Arc::new(Semaphore::new(config.tasks.max_adoptions)),
            kinds: Kinds::default(),
            gates: DashMap::new(),
            index: Index::new(world.randomness.bytes()),
            world,
            traces,
            faults: Faults::default(),
            registry: OnceLock::new(),
        });
        let (registry, _) = Actor::spawn(None, TaskRegistry, shared.clone()).await?;
        // Set once, here: nothing else has seen `shared` yet.
        let _ = shared.registry.set(registry.get_cell());
        Ok(Self(shared))
    }

    /// The connectors that tasks are looked up in.
    pub fn connectors(&self) -> &ConnectorRegistry {
        &self.0.connectors
    }

    /// The metrics that tasks are counted in.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How many tasks this process holds.
    pub fn len(&self) -> usize {
        self.0.index.len()
    }

    /// True if this process holds no task.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stops every actor. Jobs are not touched: tasks live on in their handles.
    pub fn stop(&self) {
        if let Some(registry) = self.0.registry.get() {
            registry.stop_children(None);
            registry.stop(None);
        }
    }
}

impl Shared {
    /// Spawns the actor of an entry, linked to the registry.
    pub(super) fn spawn(self: &Arc<Self>, entry: &Arc<TaskEntry>) -> Result<(), TaskError> {
        let registry = self.registry.get().ok_or(TaskError::Stopping)?.clone();
        let arguments = (self.clone(), entry.clone());
        // Nothing in it waits, so that a cancelled caller leaves no half of a
        // task, and `instant` would take a task only to start the actor's.
        let spawned = ActorRuntime::spawn_linked(None, TaskActor, arguments, registry);
        let spawned = tokio::task::unconstrained(spawned).now_or_never();
        let (actor, _) = spawned.and_then(Result::ok).ok_or(TaskError::Stopping)?;
        self.index.set_actor(actor.get_id(), entry);
        entry.desk().actor = Some(actor.clone());
        actor.send_message(TaskMsg::Start).map_err(|_| TaskError::Stopping)
    }

    /// The gate of a connector's polls.
    pub(super) fn gate(&self, connector: &Connector) -> Arc<Gate> {
        if let Some(gate) = self.gates.get(connector.name()) {
            return gate.clone();
        }
        let name = connector.name().to_owned();
        let new = || Gate::new(self.max_polls, self.poll_rate);
        self.gates.entry(name).or_insert_with(new).clone()
    }

    /// The polls of a connector that are in flight.
    pub(super) fn polls_in_flight(&self, connector: &str) -> usize {
        self.gates.get(connector).map_or(0, |gate| gate.in_flight())
    }

    /// The patience that the settings ask of a schedule.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            persist_for: self.settings.persist_for,
            give_up_after: self.settings.give_up_after,
        }
    }
}
