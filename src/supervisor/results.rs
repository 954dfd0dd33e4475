//! The results of sync tasks, kept for a caller that repeats its call: propeller
//! does when it could not write the outputs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use prost::Message;

use super::{entry::TaskEntry, task::TaskMsg};

/// Which results are kept, oldest first, within a budget of bytes.
pub(super) struct Results {
    budget: usize,
    // A mutex: an actor adds its result when it ends.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    results: VecDeque<(Weak<TaskEntry>, usize)>,
}

impl Results {
    pub(super) fn new(budget: usize) -> Self {
        Self { budget, kept: Mutex::default() }
    }

    /// Keeps the result of a task that has ended: older ones leave if there is
    /// no room for all.
    pub(super) fn keep(&self, entry: &Arc<TaskEntry>) {
        let size = entry.snapshot().resource.encoded_len();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.results.push_back((Arc::downgrade(entry), size));
        kept.bytes += size;
        while let Some((oldest, size)) = kept.results.front() {
            let present = oldest.upgrade().filter(|entry| !entry.desk().left);
            if present.is_some() && kept.bytes <= self.budget {
                return;
            }
            let size = *size;
            kept.results.pop_front();
            kept.bytes -= size;
            if let Some(entry) = present {
                entry.send(TaskMsg::MakeRoom);
            }
        }
    }
}
