//! Looks at local files, many in one go: a look costs a microsecond, and a
//! thread that may wait for a mount ten times that.

use std::{
    collections::VecDeque,
    mem::replace,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use super::local;
use crate::connector::ConnectorError;

/// How long looks gather.
const GATHER: Duration = Duration::from_millis(1);

/// How long nothing may be found out before more threads look.
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
    /// There is a task that has them taken.
    served: bool,
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
        let is_served = {
            let mut queue = self.queue();
            queue.waiting.push_back(Look { path: path.to_owned(), found });
            replace(&mut queue.served, true)
        };
        if !is_served {
            tokio::spawn(self.clone().serve());
        }
        answer.await.map_err(|_| ConnectorError::transient("the service is stopping"))?
    }

    /// Has the looks taken until none is left. A thread that is stuck, in a
    /// mount that hangs, keeps one look: others take the rest.
    async fn serve(self) {
        let mut progress = (0, Instant::now());
        loop {
            sleep(GATHER).await;
            let more = {
                let mut queue = self.queue();
                if queue.waiting.is_empty() {
                    queue.served = false;
                    return;
                }
                if queue.taken != progress.0 {
                    progress = (queue.taken, Instant::now());
                }
                let more = match progress.1.elapsed() < STALLED {
                    true => usize::from(queue.threads == 0),
                    // Twice as many each time: all of a mount may hang.
                    false => queue.threads.clamp(1, queue.waiting.len()),
                };
                queue.threads += more;
                more
            };
            if more > 0 {
                progress.1 = Instant::now();
            }
            for _ in 0..more {
                let looks = self.clone();
                tokio::task::spawn_blocking(move || looks.take());
            }
        }
    }

    fn take(&self) {
        while let Some(look) = self.next() {
            // Nobody waits for the look of a poll that was given up.
            if !look.found.is_closed() {
                let _ = look.found.send((self.0.look_at)(&look.path));
            }
        }
    }

    fn next(&self) -> Option<Look> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        match next {
            Some(_) => queue.taken += 1,
            None => queue.threads -= 1,
        }
        next
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
            while looks.queue().served || looks.queue().threads > 0 {
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
