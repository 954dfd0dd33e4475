//! One process of a worker, from its start to its end.

use std::{
    ffi::OsStr, io, os::unix::net::UnixStream as StdUnixStream, process::Stdio, time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    time::timeout,
};

use super::{
    error::{LastLines, WorkerError},
    guard::{self, Message},
    mortal,
    name::WorkerName,
    output::Output,
    ports::Port,
};
use crate::config::Upstream;

/// How long a guard may take to say that it has started the command.
const GUARD_STARTS: Duration = Duration::from_secs(10);
/// How long a guard may take to tell an end that is due, and to end itself.
const GUARD_ENDS: Duration = Duration::from_secs(2);

/// A worker's process under its guard. The guard stops it when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    guard: Child,
    /// Closed, it tells the guard to stop the worker.
    hold: OwnedWriteHalf,
    told: Lines<BufReader<OwnedReadHalf>>,
    group: Pid,
    stop_timeout: Duration,
    output: Output,
}

/// The ports of one start.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) grpc: Port,
    pub(super) metrics: Port,
}

impl Ports {
    /// Fills the placeholders of a setting.
    fn fill(&self, text: &str) -> String {
        text.replace("{port}", &self.grpc.number().to_string())
            .replace("{metrics_port}", &self.metrics.number().to_string())
    }
}

impl Process {
    /// Starts the command of these settings.
    ///
    /// # Errors
    /// If there is no such program or folder, or the guard fails.
    pub(super) async fn start(
        settings: &Upstream,
        worker: &WorkerName,
        ports: &Ports,
    ) -> Result<Self, WorkerError> {
        if let Some(directory) = settings.directory.as_ref().filter(|path| !path.is_dir()) {
            let directory = directory.clone();
            return Err(WorkerError::Directory { worker: worker.clone(), directory });
        }
        let failed = |reason: String| WorkerError::Guard { worker: worker.clone(), reason };
        let (mut guard, socket) =
            spawn(settings, ports).map_err(|error| failed(error.to_string()))?;
        let (Some(stdout), Some(stderr)) = (guard.stdout.take(), guard.stderr.take()) else {
            return Err(failed("it has no output".to_owned()));
        };
        let output = Output::of(worker, stdout, stderr);
        let (told, hold) = socket.into_split();
        let mut told = BufReader::new(told).lines();
        let group = match timeout(GUARD_STARTS, hear(&mut told)).await {
            Ok(Some(Message::Started(id))) => {
                Pid::from_raw(id).ok_or_else(|| failed(format!("it speaks of a process {id}")))?
            }
            Ok(Some(Message::Failed(reason))) => {
                return Err(WorkerError::Program {
                    worker: worker.clone(),
                    program: settings.command.first().cloned().unwrap_or_default(),
                    reason,
                });
            }
            Ok(Some(Message::Ended(_)) | None) => {
                return Err(failed(format!("it ended at once: {}", output.rest().await)));
            }
            Err(_) => return Err(failed("it is silent".to_owned())),
        };
        Ok(Self { guard, hold, told, group, stop_timeout: settings.stop_timeout, output })
    }

    /// Completes with the exit status in words when the process has ended.
    /// Can be dropped and called again.
    pub(super) async fn ended(&mut self) -> String {
        loop {
            match hear(&mut self.told).await {
                Some(Message::Ended(status)) => return status,
                Some(Message::Started(_) | Message::Failed(_)) => {}
                None => return "its guard was killed".to_owned(),
            }
        }
    }

    /// What it wrote last.
    pub(super) fn last_lines(&self) -> LastLines {
        self.output.last_lines()
    }

    /// SIGTERM, and SIGKILL for what is there after the stop timeout.
    pub(super) async fn stop(mut self) {
        // It fails if the guard is dead, which the next lines find out.
        let _ = self.hold.shutdown().await;
        let _ = timeout(self.stop_timeout + GUARD_ENDS, self.ended()).await;
        self.bury().await;
    }

    /// SIGKILL, for a worker that does not answer.
    pub(super) async fn kill(mut self) {
        self.kill_group();
        let _ = timeout(GUARD_ENDS, self.ended()).await;
        self.bury().await;
    }

    /// Sees to it that nothing is left of it, and gives its last lines.
    pub(super) async fn bury(mut self) -> LastLines {
        if !matches!(timeout(GUARD_ENDS, self.guard.wait()).await, Ok(Ok(status)) if status.code().is_some())
        {
            // Killed, or stuck: nobody else looks after the worker.
            self.kill_group();
            // It fails if the guard has ended after all.
            let _ = self.guard.start_kill();
            let _ = timeout(GUARD_ENDS, self.guard.wait()).await;
        }
        self.output.rest().await
    }

    fn kill_group(&self) {
        // It fails when nobody is left.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

/// The guard's next message; `None` when it is no more.
async fn hear(told: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Message> {
    told.next_line().await.ok().flatten()?.parse().ok()
}

fn spawn(settings: &Upstream, ports: &Ports) -> io::Result<(Child, UnixStream)> {
    let (ours, guards) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = Command::new(mortal::own_program()?);
    command
        // As `ps` shows it.
        .arg0(std::env::args_os().next().as_deref().unwrap_or(OsStr::new("flightdeck")))
        .arg(guard::SUBCOMMAND)
        .arg(settings.stop_timeout.as_millis().to_string())
        .arg("--")
        .args(settings.command.iter().map(|argument| ports.fill(argument)))
        // A Python worker's lines come when they are written.
        .env("PYTHONUNBUFFERED", "1")
        .envs(settings.environment.iter().map(|(name, value)| (name, ports.fill(value))))
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(guards)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(directory) = &settings.directory {
        command.current_dir(directory);
    }
    Ok((command.spawn()?, UnixStream::from_std(ours)?))
}
