//! What Deletes may cost a workflow.

use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::entry::TaskEntry;

/// How long Deletes that go on are errors for the callers of one workflow, all
/// of them together: each is a failed round, of which a workflow survives ten in
/// its whole life, whichever nodes they were for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many workflows are remembered without looking for old ones, and when a
/// workflow is old.
const MANY: usize = 10_000;
const OLD: Duration = Duration::from_secs(24 * 3600);

/// When the Deletes of a workflow first failed: project, domain and name.
#[derive(Default)]
pub(super) struct Rounds(DashMap<[String; 3], Instant>);

impl Rounds {
    /// True if one more error is bearable for the task's workflow, and its
    /// Delete, which was asked for then, is not old either.
    pub(super) fn may_fail(&self, entry: &TaskEntry, asked: Instant) -> bool {
        let now = Instant::now();
        if now - asked >= PATIENCE {
            return false;
        }
        let Some(id) = &entry.execution else {
            return true;
        };
        if self.0.len() >= MANY {
            self.0.retain(|_, began| now - *began < OLD);
        }
        let workflow = [id.project(), id.domain(), id.name()].map(str::to_owned);
        let began = *self.0.entry(workflow).or_insert(now);
        now - began < PATIENCE
    }
}
