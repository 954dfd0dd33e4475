//! What a worker writes: into our log, and its last lines into errors.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    task::JoinSet,
    time::timeout,
};
use tracing::info;

use super::{error::LastLines, name::WorkerName};

/// A longer line becomes several, in bytes.
const LONGEST_LINE: u64 = 8 * 1024;
/// How many lines are kept for errors, and how much of each, in characters.
const KEPT_LINES: usize = 20;
const KEPT_OF_A_LINE: usize = 400;
/// How long the pipes of a dead worker are read: somebody else may hold them.
const REST: Duration = Duration::from_secs(1);

/// The output of one process; it is read until this is dropped.
#[derive(Debug)]
pub(super) struct Output {
    last: Arc<Mutex<VecDeque<String>>>,
    readers: JoinSet<()>,
}

impl Output {
    /// Reads both. Python's words on a module that cannot be imported come on
    /// standard output, those on anything else on standard error.
    pub(super) fn of(
        worker: &WorkerName,
        stdout: impl AsyncRead + Send + Unpin + 'static,
        stderr: impl AsyncRead + Send + Unpin + 'static,
    ) -> Self {
        let last = Arc::default();
        let mut readers = JoinSet::new();
        readers.spawn(read(stdout, worker.clone(), Arc::clone(&last)));
        readers.spawn(read(stderr, worker.clone(), Arc::clone(&last)));
        Self { last, readers }
    }

    /// The last lines so far.
    pub(super) fn last_lines(&self) -> LastLines {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        LastLines(last.iter().cloned().collect())
    }

    /// The last lines of a process that has ended.
    pub(super) async fn rest(mut self) -> LastLines {
        // If the time is over, there is what was read until then.
        let _ = timeout(REST, async { while self.readers.join_next().await.is_some() {} }).await;
        self.last_lines()
    }
}

async fn read(
    pipe: impl AsyncRead + Unpin,
    worker: WorkerName,
    last: Arc<Mutex<VecDeque<String>>>,
) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    // A pipe that cannot be read is as good as closed.
    while let Ok(1..) = (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            info!(
                target: "flightdeck::upstream",
                upstream = worker.upstream(), worker = worker.worker(), "{text}"
            );
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == KEPT_LINES {
                last.pop_front();
            }
            last.push_back(text.chars().take(KEPT_OF_A_LINE).collect());
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(text: Vec<u8>) -> Vec<String> {
        let worker = WorkerName::new(&"python".into(), 0);
        let output = Output::of(&worker, std::io::Cursor::new(text), tokio::io::empty());
        output.rest().await.0
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_whatever_they_are() {
        let text: String = (0..100).map(|n| format!("line {n}\r\n\n")).collect();
        let lines = lines_of(text.into_bytes()).await;
        assert_eq!(lines.len(), KEPT_LINES);
        assert_eq!((lines[0].as_str(), lines[19].as_str()), ("line 80", "line 99"));
        assert_eq!(lines_of(b"\xff no end".to_vec()).await, ["\u{fffd} no end"]);
        let long = lines_of(vec![b'x'; 20_000]).await;
        assert_eq!(long.len(), 3, "one line in three parts");
        assert!(long.iter().all(|line| line.len() == KEPT_OF_A_LINE));
    }
}
