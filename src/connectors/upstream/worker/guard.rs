//! A worker's guard: a small process between Flightdeck and the worker, which
//! outlives both and leaves no process behind.
//!
//! Flightdeck holds one end of a socket whose other end is the guard's standard
//! input. The guard tells on it what becomes of the command ([`Message`]); when
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
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command, ExitStatus, Stdio},
    str::FromStr,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process_group,
    waitid,
};

/// The hidden subcommand of the command line that runs [`run`]. Its arguments
/// are the stop timeout in milliseconds, `--`, and the command.
pub const SUBCOMMAND: &str = "guard-worker";

/// The exit status of a shell whose command cannot be started.
const NOT_STARTED: u8 = 127;

/// How often it is looked whether a group is empty; nothing tells it.
const LOOK: Duration = Duration::from_millis(20);

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
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command"));
    };
    let spawned =
        Command::new(program).args(arguments).stdin(Stdio::null()).process_group(0).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            tell(&owner, &Message::Failed(error.to_string()));
            return Ok(NOT_STARTED);
        }
    };
    let group = Group(Pid::from_child(&child));
    tell(&owner, &Message::Started(group.0.as_raw_nonzero().get()));

    let (events, happened) = channel();
    watch_owner(owner.try_clone()?, events.clone());
    watch_command(group.0, events);
    let status = match happened.recv() {
        Ok(Event::Ended) => {
            // It is not reaped yet, so its number is still its own. What it
            // has started has no purpose without it.
            group.signal(Signal::KILL);
            child.wait()?
        }
        Ok(Event::Abandoned) | Err(_) => group.stop(&mut child, &happened, stop_timeout)?,
    };
    tell(&owner, &Message::Ended(status.to_string()));
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
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
        // Without reaping it: until then no other process can get its number.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(process), options) {}
        let _ = events.send(Event::Ended);
    });
}

/// The command's process and the group that it heads.
struct Group(Pid);

impl Group {
    /// Fails only when there is nobody left.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.0, signal);
    }

    /// The command first: a wrapper may hand the signal on, and a second one
    /// makes some programs end at once. Then those whom it left behind.
    fn stop(
        &self,
        child: &mut Child,
        happened: &Receiver<Event>,
        stop_timeout: Duration,
    ) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + stop_timeout;
        let _ = kill_process(self.0, Signal::TERM);
        match happened.recv_timeout(stop_timeout) {
            Ok(_) | Err(RecvTimeoutError::Disconnected) => self.signal(Signal::TERM),
            Err(RecvTimeoutError::Timeout) => self.signal(Signal::KILL),
        }
        let status = child.wait()?;
        while test_kill_process_group(self.0).is_ok() {
            if Instant::now() >= deadline {
                self.signal(Signal::KILL);
                break;
            }
            thread::sleep(LOOK);
        }
        Ok(status)
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
