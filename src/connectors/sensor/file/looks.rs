//! Looks at local files, many in one go: a look costs a microsecond, and a
//! thread that may wait for a mount ten times that.

use std::{
    collections::VecDeque,
    mem::replace,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, task::spawn_blocking, time::sleep};

use super::local;
use crate::connector::ConnectorError;

/// How long a thread lets looks gather once it has taken all.
const GATHER: Duration = Duration::from_millis(1);

/// How long no look may be taken before more threads look.
const STALLED: Duration = Duration::from_millis(20);

/// How a path is looked at; it may take its time.
type LookAt = fn(&Path) -> Result<local::Found, ConnectorError>;

/// Looks that wait to be taken.
#[derive(Clone)]
pub(super) struct Looks(Arc<Inner>);

struct Inner {
    look_at: LookAt,
    // A mutex, because threads take what tasks put in; it is held for a few
    // instructions only.
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Look>,
    /// There is a task that watches the threads.
    watched: bool,
    /// Threads that take them.
    threads: usize,
    /// Looks that were ever taken.
    taken: u64,
}

struct Look {
    path: PathBuf,
    found: oneshot::Sender<Result<local::Found, ConnectorError>>,
}

impl Looks {
    pub(super) fn new(look_at: LookAt) -> Self {
        Self(Arc::new(Inner { look_at, queue: Mutex::default() }))
    }

    /// What is at the path.
    pub(super) async fn look(&self, path: &Path) -> Result<local::Found, ConnectorError> {
        let (found, answer) = oneshot::channel();
        let (is_watched, is_taken) = {
            let mut queue = self.queue();
            queue.waiting.push_back(Look { path: path.to_owned(), found });
            let threads = queue.threads.max(1);
            (replace(&mut queue.watched, true), replace(&mut queue.threads, threads) > 0)
        };
        if !is_taken {
            self.spawn_thread();
        }
        if !is_watched {
            tokio::spawn(self.clone().watch());
        }
        answer.await.map_err(|_| ConnectorError::transient("the service is stopping"))?
    }

    /// A thread that is stuck, in a mount that hangs, keeps one look: others
    /// take the rest.
    async fn watch(self) {
        let mut before = None;
        loop {
            sleep(STALLED).await;
            let more = {
                let mut queue = self.queue();
                if queue.threads == 0 {
                    queue.watched = false;
                    return;
                }
                let taken = before.replace(queue.taken);
                // Twice as many each time, because all of a mount hang.
                let more = match taken == before {
                    true => queue.threads.min(queue.waiting.len()),
                    false => 0,
                };
                queue.threads += more;
                more
            };
            (0..more).for_each(|_| self.spawn_thread());
        }
    }

    fn spawn_thread(&self) {
        let looks = self.clone();
        spawn_blocking(move || looks.take());
    }

    /// Takes looks until none has come for a while.
    fn take(&self) {
        let mut rested = false;
        while let Some(next) = self.next(rested) {
            rested = next.is_none();
            match next {
                Some(look) => self.answer(look),
                None => std::thread::sleep(GATHER),
            }
        }
    }

    /// The next look, if there is one; a rested thread leaves without.
    fn next(&self, rested: bool) -> Option<Option<Look>> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        match next {
            Some(_) => queue.taken += 1,
            None if rested => {
                queue.threads -= 1;
                return None;
            }
            None => {}
        }
        Some(next)
    }

    fn answer(&self, look: Look) {
        // Nobody waits for the look of a poll that was given up.
        if !look.found.is_closed() {
            let _ = look.found.send((self.0.look_at)(&look.path));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures::future::join_all;
    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn looks_are_answered_each_for_its_own_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let looks = Looks::new(local::look);
        let paths = (0..100).map(|n| folder.path().join(n.to_string()));
        let paths: Vec<PathBuf> = paths.collect();
        for path in paths.iter().step_by(2) {
            std::fs::write(path, "").expect("a file");
        }
        let found = join_all(paths.iter().map(|path| looks.look(path))).await;
        for (n, found) in found.into_iter().enumerate() {
            assert_eq!(found.expect("looked at").is_some(), n % 2 == 0, "{n}");
        }
        let all_over = async {
            while looks.queue().watched || looks.queue().threads > 0 {
                sleep(GATHER).await;
            }
        };
        timeout(LIMIT, all_over).await.expect("nothing goes on");
    }

    #[tokio::test]
    async fn looks_go_on_beside_a_mount_that_hangs() {
        static HANGS: AtomicBool = AtomicBool::new(true);
        let looks = Looks::new(|path| {
            while path.starts_with("/hangs") && HANGS.load(Ordering::Relaxed) {
                std::thread::sleep(GATHER);
            }
            Ok(None)
        });
        let stuck: Vec<_> = (0..9)
            .map(|_| {
                let looks = looks.clone();
                tokio::spawn(async move { looks.look(Path::new("/hangs")).await })
            })
            .collect();
        for _ in 0..3 {
            let found = timeout(LIMIT, looks.look(Path::new("/elsewhere"))).await;
            assert_eq!(found.expect("in time"), Ok(None));
        }
        HANGS.store(false, Ordering::Relaxed);
        for stuck in stuck {
            let found = timeout(LIMIT, stuck).await.expect("in time");
            assert_eq!(found.expect("no panic"), Ok(None));
        }
    }
}
