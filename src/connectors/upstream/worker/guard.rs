//! A worker's guard: a small process between Flightdeck and the worker, which
//! outlives both and leaves no process behind.
//!
//! Flightdeck holds one end of a socket whose other end is the guard's standard
//! input. The guard tells on it what becomes of the command, in a line each; when
//! it is closed, because Flightdeck stops the worker or is dead itself, however
//! it died, the guard stops the command and whatever that has started. The
//! command gets a process group of its own, so that all of it can be ended, the
//! guard another one, so that a terminal's Ctrl-C reaches neither.

use std::{
    ffi::OsString,
    fmt, io,
    io::{Read, Write},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::ExitStatus,
    str::FromStr,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::mortal;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group,
    test_kill_process_group, wait, waitid,
};

/// The hidden subcommand of the command line that runs [`run`]. Its arguments
/// are the stop timeout in milliseconds, `--`, and the command.
pub const SUBCOMMAND: &str = "guard-worker";

/// The exit status of a shell whose command cannot be started.
pub const NOT_STARTED: u8 = 127;

/// How often it is looked whether a group is empty; nothing tells it.
const LOOK: Duration = Duration::from_millis(20);
/// How long it may take until killed processes are no more.
const KILLED: Duration = Duration::from_secs(1);
/// How often the dead are buried whom the command has left to the guard.
const BURIAL: Duration = Duration::from_secs(10);

/// What a guard tells of its command, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// It runs, as this process and the head of a group of this number.
    Started(i32),
    /// It cannot be started, for this reason.
    Failed(String),
    /// It has ended, with this status in words.
    Ended(String),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(id) => writeln!(f, "started {id}"),
            Self::Failed(reason) => writeln!(f, "failed {reason}"),
            Self::Ended(status) => writeln!(f, "ended {status}"),
        }
    }
}

impl FromStr for Message {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let foreign = || format!("{line:?} is no message of a guard");
        let (kind, rest) = line.trim_end().split_once(' ').ok_or_else(foreign)?;
        match kind {
            "started" => rest.parse().map(Self::Started).map_err(|_| foreign()),
            "failed" => Ok(Self::Failed(rest.to_owned())),
            "ended" => Ok(Self::Ended(rest.to_owned())),
            _ => Err(foreign()),
        }
    }
}

/// Runs the command until it ends, or until our standard input does: then it is
/// sent SIGTERM, and after `stop_timeout` what is left of it SIGKILL.
///
/// Returns the exit status for the guard: the command's own, 128 and the signal
/// that ended it, or 127 if it cannot be started.
///
/// # Errors
/// If standard input cannot be read, or a process cannot be waited for.
pub fn run(command: &[OsString], stop_timeout: Duration) -> io::Result<u8> {
    // Not inherited by the command: only our own death closes it.
    let owner = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    adopt_orphans();
    let child = match mortal::spawn(command)? {
        Ok(child) => child,
        Err(reason) => {
            tell(&owner, &Message::Failed(reason));
            return Ok(NOT_STARTED);
        }
    };
    let mut group = Group { head: Pid::from_child(&child), status: None };
    tell(&owner, &Message::Started(group.head.as_raw_nonzero().get()));

    let (events, happened) = channel();
    watch_owner(owner.try_clone()?, events.clone());
    watch_command(group.head, events);
    loop {
        match happened.recv_timeout(BURIAL) {
            Err(RecvTimeoutError::Timeout) => group.bury_dead(),
            // What it has started has no purpose without it.
            Ok(Event::Ended) => break group.kill(),
            Ok(Event::Abandoned) | Err(RecvTimeoutError::Disconnected) => {
                break group.stop(&happened, stop_timeout);
            }
        }
    }
    let Some(status) = group.status else {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "the worker survives SIGKILL"));
    };
    tell(&owner, &Message::Ended(status.to_string()));
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// Makes us the parent of what the command leaves behind, where the system can
/// do that: else its dead would seem to live until somebody buries them, and in
/// a container nobody may.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Nobody may be there to hear it, which the guard learns in another way.
fn tell(mut owner: &UnixStream, message: &Message) {
    let _ = owner.write_all(message.to_string().as_bytes());
}

enum Event {
    /// Our standard input has ended.
    Abandoned,
    /// The command has ended.
    Ended,
}

fn watch_owner(mut owner: UnixStream, events: Sender<Event>) {
    thread::spawn(move || {
        let mut byte = [0];
        // Nothing is ever sent to a guard.
        while matches!(owner.read(&mut byte), Ok(1..)) {}
        let _ = events.send(Event::Abandoned);
    });
}

fn watch_command(process: Pid, events: Sender<Event>) {
    thread::spawn(move || {
        // Without burying it: until then no other process can get its number.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(process), options) {}
        let _ = events.send(Event::Ended);
    });
}

/// The command's process and the group that it heads.
struct Group {
    head: Pid,
    /// How the command has ended.
    status: Option<ExitStatus>,
}

impl Group {
    /// Fails only when there is nobody left.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.head, signal);
    }

    /// The command first: a wrapper may hand the signal on, and a second one
    /// makes some programs end at once. Then those whom it left behind.
    fn stop(&mut self, happened: &Receiver<Event>, stop_timeout: Duration) {
        let deadline = Instant::now() + stop_timeout;
        let _ = kill_process(self.head, Signal::TERM);
        if !matches!(happened.recv_timeout(stop_timeout), Err(RecvTimeoutError::Timeout)) {
            self.signal(Signal::TERM);
            if self.is_empty_by(deadline) {
                return;
            }
        }
        self.kill();
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.is_empty_by(Instant::now() + KILLED);
    }

    /// Waits until nobody is left.
    fn is_empty_by(&mut self, deadline: Instant) -> bool {
        loop {
            self.bury_dead();
            if self.status.is_some() && test_kill_process_group(self.head).is_err() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(LOOK);
        }
    }

    fn bury_dead(&mut self) {
        while let Ok(Some((process, status))) = wait(WaitOptions::NOHANG) {
            if process == self.head {
                self.status = Some(ExitStatus::from_raw(status.as_raw()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        for message in [
            Message::Started(4711),
            Message::Failed("No such file or directory (os error 2)".to_owned()),
            Message::Ended("exit status: 1".to_owned()),
        ] {
            assert_eq!(message.to_string().parse(), Ok(message));
        }
        for foreign in ["", "started", "started soon", "hello world"] {
            assert!(foreign.parse::<Message>().is_err(), "{foreign:?}");
        }
    }
}
