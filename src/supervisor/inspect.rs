//! Looking inside: which tasks there are, and how they do.
//!
//! Both questions walk over the whole index. They do so on a thread for
//! blocking work, and look at the entries only after they have let go of the
//! index, so that a million tasks hold up nobody.

use std::{collections::BTreeMap, sync::Arc, time::Duration, vec};

use futures::{Stream, stream};
use uuid::Uuid;

use super::{
    TaskError, Tasks,
    entry::TaskEntry,
    faults::Fault,
    oldest::Oldest,
    report::{TaskReport, unpolled_for},
    snapshot::Snapshot,
    tasks::Shared,
};
use crate::connector::Phase;

/// The most tasks that a listing holds on to between two walks: few enough that
/// a reader who has fallen asleep costs little, enough that a listing of a
/// million tasks needs only twenty walks.
const LARGEST_BATCH: usize = 50_000;

/// Which tasks are listed: those that pass all that is set.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// The project of the execution.
    pub project: Option<String>,
    /// The domain of the execution.
    pub domain: Option<String>,
    /// The name of the execution.
    pub execution: Option<String>,
    /// The task type.
    pub task_type: Option<String>,
    /// The phase.
    pub phase: Option<Phase>,
    /// The least time since the creation.
    pub min_age: Option<Duration>,
}

/// How the tasks of a service do as a whole.
#[derive(Debug, Clone)]
pub struct Overview {
    /// How many tasks there are, by type and phase.
    pub counts: BTreeMap<String, BTreeMap<Phase, u64>>,
    /// How many there may be.
    pub max_tasks: usize,
    /// How many more there may be before Creates have to wait.
    pub capacity_left: usize,
    /// Creates that wait for room.
    pub waiting_creates: usize,
    /// Of the tasks that are to be polled, the one that has waited the longest
    /// for a poll that succeeds.
    pub oldest_unpolled: Option<TaskReport>,
    /// Restarts of actors since the start.
    pub restarts: u64,
    /// Every connector by its name.
    pub connectors: BTreeMap<String, ConnectorOverview>,
}

/// How a connector does.
#[derive(Debug, Clone)]
pub struct ConnectorOverview {
    /// Its polls in flight.
    pub polls_in_flight: usize,
    /// Its last call that failed.
    pub fault: Option<Fault>,
}

impl Tasks {
    /// The tasks that pass a filter, by the order of their ids, which is that
    /// of their creation: `limit` at most, from the one behind `after` on. They
    /// are looked at as the stream is read; tasks that come or go meanwhile are
    /// in it or not.
    pub fn list(
        &self,
        filter: TaskFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> impl Stream<Item = Result<TaskReport, TaskError>> + Send + use<> {
        let listing = Listing {
            tasks: self.clone(),
            filter: Arc::new(filter),
            after,
            left: limit,
            batch: Vec::new().into_iter(),
            is_last: false,
        };
        stream::try_unfold(listing, |mut listing| async {
            let next = listing.next().await?;
            Ok(next.map(|report| (report, listing)))
        })
    }

    /// How the tasks do as a whole.
    ///
    /// # Errors
    /// If the service is stopping.
    pub async fn overview(&self) -> Result<Overview, TaskError> {
        let shared = self.0.clone();
        let walk = tokio::task::spawn_blocking(move || Overview::of(&shared));
        walk.await.map_err(|_| TaskError::Stopping)
    }
}

/// A listing under way.
struct Listing {
    tasks: Tasks,
    filter: Arc<TaskFilter>,
    /// The id of the task that was looked at last.
    after: Option<Uuid>,
    /// How many more are asked for.
    left: usize,
    /// The next tasks, in their order.
    batch: vec::IntoIter<Arc<TaskEntry>>,
    /// No task follows after the batch.
    is_last: bool,
}

impl Listing {
    async fn next(&mut self) -> Result<Option<TaskReport>, TaskError> {
        loop {
            for entry in self.batch.by_ref() {
                self.after = Some(entry.id);
                let snapshot = entry.snapshot();
                // Asked again, because the batch may be some time old.
                if !entry.desk().left && self.filter.admits(&entry, &snapshot, &self.tasks.0) {
                    self.left -= 1;
                    return Ok(Some(TaskReport::new(&entry, &snapshot)));
                }
            }
            if self.is_last || self.left == 0 {
                return Ok(None);
            }
            self.walk().await?;
        }
    }

    /// Gets the next batch.
    async fn walk(&mut self) -> Result<(), TaskError> {
        let (shared, filter, after) = (self.tasks.0.clone(), self.filter.clone(), self.after);
        let most = self.left.min(LARGEST_BATCH);
        let walk = tokio::task::spawn_blocking(move || next(&shared, &filter, after, most));
        let batch = walk.await.map_err(|_| TaskError::Stopping)?;
        self.is_last = batch.len() < most;
        self.batch = batch.into_iter();
        Ok(())
    }
}

/// The next tasks behind `after` that pass the filter, in their order.
fn next(
    shared: &Shared,
    filter: &TaskFilter,
    after: Option<Uuid>,
    most: usize,
) -> Vec<Arc<TaskEntry>> {
    let mut oldest = Oldest::new(most);
    for entry in shared.index.entries() {
        // The filter comes last: it costs more than the comparisons.
        if Some(entry.id) > after
            && oldest.has_room_for(&entry.id)
            && filter.admits(&entry, &entry.snapshot(), shared)
        {
            oldest.insert(entry.id, entry);
        }
    }
    oldest.into_values()
}

impl TaskFilter {
    fn admits(&self, entry: &TaskEntry, snapshot: &Snapshot, shared: &Shared) -> bool {
        let execution = entry.execution.as_ref();
        is(self.task_type.as_deref(), Some(entry.kind.category.name.as_str()))
            && is(self.phase.as_ref(), Some(&snapshot.phase))
            && is(self.project.as_deref(), execution.map(|id| id.project()))
            && is(self.domain.as_deref(), execution.map(|id| id.domain()))
            && is(self.execution.as_deref(), execution.map(|id| id.name()))
            && self.min_age.is_none_or(|least| {
                let age = shared.world.now().duration_since(entry.created);
                age.unwrap_or_default() >= least
            })
    }
}

/// True if nothing is asked for, or just this.
fn is<T: PartialEq + ?Sized>(asked: Option<&T>, value: Option<&T>) -> bool {
    asked.is_none() || asked == value
}

impl Overview {
    fn of(shared: &Shared) -> Self {
        let mut counts: BTreeMap<String, BTreeMap<Phase, u64>> = BTreeMap::new();
        let mut oldest: Option<(Duration, Arc<TaskEntry>)> = None;
        for entry in shared.index.entries() {
            let snapshot = entry.snapshot();
            let phases = match counts.get_mut(&entry.kind.category.name) {
                Some(phases) => phases,
                None => counts.entry(entry.kind.category.name.clone()).or_default(),
            };
            *phases.entry(snapshot.phase).or_default() += 1;
            if let Some(unpolled) = unpolled_for(&entry, &snapshot)
                && oldest.as_ref().is_none_or(|(longest, _)| unpolled > *longest)
            {
                oldest = Some((unpolled, entry));
            }
        }
        let max_tasks = shared.settings.max_tasks;
        Self {
            counts,
            max_tasks,
            capacity_left: max_tasks.saturating_sub(shared.index.len()),
            waiting_creates: shared.room.waiting(),
            oldest_unpolled: oldest.map(|(_, entry)| TaskReport::new(&entry, &entry.snapshot())),
            restarts: shared.metrics.restarts(),
            connectors: connectors(shared),
        }
    }
}

fn connectors(shared: &Shared) -> BTreeMap<String, ConnectorOverview> {
    let overview = |name: &str| ConnectorOverview {
        polls_in_flight: shared.polls_in_flight(name),
        fault: shared.faults.last(name),
    };
    let names = shared.connectors.names().into_iter();
    names.map(|name| (name.clone(), overview(&name))).collect()
}
