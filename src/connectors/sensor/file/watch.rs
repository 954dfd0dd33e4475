//! Notices local files as they appear, where the system can tell. What it
//! cannot tell (network mounts, a full table of watches) is found by polls,
//! which go on in any case.

use std::{
    collections::HashMap,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use pin_project_lite::pin_project;
use tokio::sync::{Notify, futures::OwnedNotified};
use tracing::warn;

/// How long a folder is watched that nobody waits for anything in.
const IDLE: Duration = Duration::from_secs(60);
/// How long a folder that cannot be watched is not tried again.
const UNWATCHED: Duration = Duration::from_secs(60);

/// The folders that are watched. A path that somebody waits for is watched in
/// its folder, or, while that is missing, what is missing of it in the nearest
/// folder that is there.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Inner>);

#[derive(Default)]
struct Inner {
    watcher: OnceLock<Option<Mutex<RecommendedWatcher>>>,
    // A mutex, because events come on a thread of the watcher's; it is held
    // for a few instructions only.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    folders: HashMap<PathBuf, Folder>,
    /// What is waited for, each with how many wait.
    awaited: HashMap<Arc<Path>, (Arc<Notify>, usize)>,
}

enum Folder {
    Watched { waiting: usize, idle_since: Instant },
    Unwatchable { until: Instant },
}

pin_project! {
    /// Somebody waits for a path; until it is dropped. A million tasks may, so
    /// it is a future by itself and not part of a larger one.
    struct Interest {
        inner: Arc<Inner>,
        path: Arc<Path>,
        // Made before anybody could be told, so that nothing is missed.
        #[pin]
        told: OwnedNotified,
    }

    impl PinnedDrop for Interest {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.inner.leave(this.path);
        }
    }
}

impl Future for Interest {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.project().told.poll(context)
    }
}

impl Watch {
    /// Completes when something happens at the path or on the way to it.
    pub(super) fn changed(&self, path: &Path) -> BoxFuture<'static, ()> {
        if let Some(interest) = self.0.join(path) {
            return interest.boxed();
        }
        let (inner, path) = (self.0.clone(), path.to_owned());
        async move {
            // The system's calls may take their time.
            let added = tokio::task::spawn_blocking(move || inner.add(&path));
            match added.await.ok().flatten() {
                Some(Waiting::For(interest)) => interest.await,
                Some(Waiting::Over) => {}
                None => std::future::pending().await,
            }
        }
        .boxed()
    }
}

enum Waiting {
    For(Interest),
    /// It came while its folder was about to be watched.
    Over,
}

impl Inner {
    /// Waits in a folder that is watched already.
    fn join(self: &Arc<Self>, path: &Path) -> Option<Interest> {
        let mut state = self.state();
        let mut child = path;
        while let Some(folder) = child.parent() {
            let is_awaited = child == path || state.awaited.contains_key(child);
            if is_awaited && matches!(state.folders.get(folder), Some(Folder::Watched { .. })) {
                return Some(self.wait_for(&mut state, child));
            }
            child = folder;
        }
        None
    }

    /// Watches the nearest folder that is there, and waits in it.
    fn add(self: &Arc<Self>, path: &Path) -> Option<Waiting> {
        let mut child = path;
        let folder = loop {
            let folder = child.parent().filter(|folder| !folder.as_os_str().is_empty())?;
            if folder.is_dir() {
                break folder;
            }
            child = folder;
        };
        self.watch(folder)?;
        let interest = {
            let mut state = self.state();
            self.wait_for(&mut state, child)
        };
        match child.exists() {
            true => Some(Waiting::Over),
            false => Some(Waiting::For(interest)),
        }
    }

    fn watch(self: &Arc<Self>, folder: &Path) -> Option<()> {
        let now = Instant::now();
        match self.state().folders.get(folder) {
            Some(Folder::Watched { .. }) => return Some(()),
            Some(Folder::Unwatchable { until }) if now < *until => return None,
            _ => {}
        }
        let watcher = self.watcher.get_or_init(|| self.new_watcher()).as_ref()?;
        let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
        for idle in self.state().take_idle(now) {
            let _ = watcher.unwatch(&idle);
        }
        let watched = watcher.watch(folder, RecursiveMode::NonRecursive);
        let mut state = self.state();
        let (entry, watched) = match watched {
            Ok(()) => (Folder::Watched { waiting: 0, idle_since: now }, Some(())),
            Err(error) => {
                warn!(folder = %folder.display(), %error, "cannot watch a folder: it is polled");
                (Folder::Unwatchable { until: now + UNWATCHED }, None)
            }
        };
        state.folders.insert(folder.to_owned(), entry);
        watched
    }

    fn new_watcher(self: &Arc<Self>) -> Option<Mutex<RecommendedWatcher>> {
        let inner = Arc::downgrade(self);
        let handler = move |event: notify::Result<Event>| {
            if let (Some(inner), Ok(event)) = (inner.upgrade(), event) {
                inner.state().tell(&event);
            }
        };
        match notify::recommended_watcher(handler) {
            Ok(watcher) => Some(Mutex::new(watcher)),
            Err(error) => {
                warn!(%error, "cannot watch files: they are polled");
                None
            }
        }
    }

    fn wait_for(self: &Arc<Self>, state: &mut State, path: &Path) -> Interest {
        let folder = path.parent().and_then(|folder| state.folders.get_mut(folder));
        if let Some(Folder::Watched { waiting, .. }) = folder {
            *waiting += 1;
        }
        let known = state.awaited.get_key_value(path).map(|(path, _)| path.clone());
        let path = known.unwrap_or_else(|| path.into());
        let (notify, waiting) = state.awaited.entry(path.clone()).or_default();
        *waiting += 1;
        Interest { inner: self.clone(), path, told: notify.clone().notified_owned() }
    }

    /// Somebody waits for the path no longer.
    fn leave(&self, path: &Path) {
        let mut state = self.state();
        if let Some((_, waiting)) = state.awaited.get_mut(path) {
            *waiting -= 1;
            if *waiting == 0 {
                state.awaited.remove(path);
            }
        }
        let folder = path.parent().and_then(|folder| state.folders.get_mut(folder));
        if let Some(Folder::Watched { waiting, idle_since }) = folder {
            *waiting = waiting.saturating_sub(1);
            *idle_since = Instant::now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Wakes who waits for what an event is about.
    fn tell(&mut self, event: &Event) {
        if event.need_rescan() {
            self.awaited.values().for_each(|(notify, _)| notify.notify_waiters());
        }
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        for path in &event.paths {
            if let Some((notify, _)) = self.awaited.get(path.as_path()) {
                notify.notify_waiters();
            }
            let gone = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(_));
            if gone && self.folders.contains_key(path) && !path.is_dir() {
                self.forget(path);
            }
        }
    }

    /// A folder is gone, and its watch with it.
    fn forget(&mut self, folder: &Path) {
        self.folders.remove(folder);
        let inside = self.awaited.iter().filter(|(path, _)| path.parent() == Some(folder));
        inside.for_each(|(_, (notify, _))| notify.notify_waiters());
    }

    /// Takes out the folders that nobody has waited in for long.
    fn take_idle(&mut self, now: Instant) -> Vec<PathBuf> {
        let idle = |folder: &Folder| match folder {
            Folder::Watched { waiting, idle_since } => *waiting == 0 && now - *idle_since > IDLE,
            Folder::Unwatchable { until } => *until <= now,
        };
        let paths: Vec<_> = self
            .folders
            .iter()
            .filter(|(_, folder)| idle(folder))
            .map(|(path, _)| path.clone())
            .collect();
        self.folders.retain(|_, folder| !idle(folder));
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Waits for the path; it is made as soon as it is waited for.
    async fn is_noticed(watch: &Watch, path: &Path, make: impl FnOnce()) {
        let changed = tokio::spawn(watch.changed(path));
        let began = Instant::now();
        while watch.0.state().awaited.is_empty() {
            assert!(began.elapsed() < LIMIT, "nobody waits");
            tokio::task::yield_now().await;
        }
        make();
        tokio::time::timeout(LIMIT, changed).await.expect("noticed").expect("no panic");
        assert!(watch.0.state().awaited.is_empty(), "nobody waits any more");
    }

    #[tokio::test]
    async fn a_file_is_noticed_and_so_is_the_way_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("a path");
        let watch = Watch::default();
        let inner = folder.join("inner");
        let path = inner.join("ready");
        let make = |path: &Path| std::fs::create_dir(path).expect("a folder");
        is_noticed(&watch, &path, || make(&inner)).await;
        is_noticed(&watch, &path, || std::fs::write(&path, "").expect("a file")).await;
    }

    #[tokio::test]
    async fn a_folder_that_is_made_again_is_watched_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().canonicalize().expect("a path").join("inner");
        let watch = Watch::default();
        let path = inner.join("ready");
        for _ in 0..2 {
            std::fs::create_dir(&inner).expect("a folder");
            is_noticed(&watch, &path, || std::fs::write(&path, "").expect("a file")).await;
            is_noticed(&watch, &inner.join("other"), || {
                std::fs::remove_dir_all(&inner).expect("removed");
            })
            .await;
        }
    }
}
