//! Before a stop: what lives in memory only gets its time.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tracing::info;

use super::{Tasks, entry::TaskEntry, line::line};

/// How often it is looked whether everything is done.
const PAUSE: Duration = Duration::from_millis(20);

impl Tasks {
    /// Waits until no create, no delete and no orphan is left that only this
    /// process knows of, at most until the deadline. Called when no more
    /// requests come. Tasks are not touched: they live on in their handles.
    pub async fn drain(&self, deadline: Instant) {
        let mut open = self.0.index.all();
        open.retain(is_open);
        if open.is_empty() {
            return;
        }
        info!(open = open.len(), "waiting for creates, deletes and orphans under way");
        while !open.is_empty() && Instant::now() < deadline {
            sleep(PAUSE.min(deadline.saturating_duration_since(Instant::now()))).await;
            open.retain(is_open);
        }
        for entry in open {
            line!(warn, entry, "the service stops before the job's create or delete is finished");
        }
    }
}

fn is_open(entry: &Arc<TaskEntry>) -> bool {
    let unknown = entry.job().is_none() && !entry.snapshot().phase.is_terminal();
    let orphan = entry.abandoned_for().is_some() && !entry.is_released() && !entry.is_sync();
    let desk = entry.desk();
    !desk.left && (unknown || orphan || desk.deletion.is_wanted())
}
