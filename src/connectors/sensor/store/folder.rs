//! How often the keys of one folder are asked for, and so whether one listing
//! of it is cheaper than a request for each.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A listing must spare so many requests.
const SPARED: usize = 2;
/// How long a folder that cannot be listed is not tried again.
const UNLISTED: Duration = Duration::from_secs(300);

/// One folder of a bucket.
#[derive(Debug)]
pub(super) struct Folder {
    window: Duration,
    hasher: RandomState,
    // A mutex, because sensors ask from any thread; it is held for a few
    // instructions only.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    began: Instant,
    /// The keys asked for in this window.
    asked: HashSet<u64>,
    /// How many were in the one before.
    before: usize,
    /// Requests that a listing takes.
    pages: usize,
    unlisted_until: Option<Instant>,
}

impl Folder {
    /// A listing is good for `window`.
    pub(super) fn new(window: Duration) -> Self {
        let state = State {
            began: Instant::now(),
            asked: HashSet::new(),
            before: 0,
            pages: 1,
            unlisted_until: None,
        };
        Self { window, hasher: RandomState::new(), state: Mutex::new(state) }
    }

    /// Notes that a key is asked for; true if a listing is cheaper for all who
    /// ask while it is good.
    pub(super) fn asks_for_listing(&self, key: &str) -> bool {
        if self.window.is_zero() {
            return false;
        }
        let now = Instant::now();
        let mut state = self.state();
        let age = now - state.began;
        if age >= self.window {
            let asked = std::mem::take(&mut state.asked);
            state.before = if age < 2 * self.window { asked.len() } else { 0 };
            state.began = now;
        }
        state.asked.insert(self.hasher.hash_one(key));
        if state.unlisted_until.is_some_and(|until| now < until) {
            return false;
        }
        state.asked.len().max(state.before) >= SPARED + 2 * state.pages
    }

    /// A listing took so many requests.
    pub(super) fn listed(&self, pages: usize) {
        self.state().pages = pages.max(1);
    }

    /// It cannot be listed, or not at a price that pays.
    pub(super) fn unlistable(&self) {
        self.state().unlisted_until = Some(Instant::now() + UNLISTED);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(2);

    fn asks(folder: &Folder, keys: usize) -> Vec<bool> {
        (0..keys).map(|key| folder.asks_for_listing(&key.to_string())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_keys_are_asked_for_one_by_one_and_many_by_a_listing() {
        let folder = Folder::new(WINDOW);
        assert_eq!(asks(&folder, 3), [false; 3]);
        assert_eq!(asks(&folder, 3), [false; 3], "the same ones");
        assert_eq!(asks(&folder, 5), [false, false, false, true, true]);
        tokio::time::advance(WINDOW).await;
        assert_eq!(asks(&folder, 1), [true], "as many as before are to come");
        tokio::time::advance(3 * WINDOW).await;
        assert_eq!(asks(&folder, 1), [false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_folder_must_be_asked_about_by_more() {
        let folder = Folder::new(WINDOW);
        folder.listed(10);
        assert!(!asks(&folder, 21).contains(&true));
        assert!(folder.asks_for_listing("one more"));
        folder.unlistable();
        assert!(!folder.asks_for_listing("and another"));
    }
}
