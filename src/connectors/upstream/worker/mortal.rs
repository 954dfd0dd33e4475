//! The process of a worker, before it becomes the worker's command: it asks to
//! end with its guard.
//!
//! A guard sees to all that a command has started, but only while it lives
//! itself; whoever ends every process of Flightdeck's at once ends it too.

use std::{
    ffi::OsString,
    io,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// The hidden subcommand of the command line that runs [`run`]. Its arguments
/// are `--` and the command.
pub const SUBCOMMAND: &str = "become-worker";

/// Becomes the command, and returns only if that fails: the reason goes to
/// standard input, where the guard reads it.
///
/// # Errors
/// If nobody hears the reason.
pub fn run(command: &[OsString]) -> io::Result<()> {
    let mut guard = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let Some((program, arguments)) = command.split_first() else {
        return guard.write_all(b"there is no command");
    };
    end_with_guard();
    // Without `guard`, which is closed by it.
    let reason = Command::new(program).args(arguments).stdin(Stdio::null()).exec();
    guard.write_all(reason.to_string().as_bytes())
}

/// SIGKILL for us as soon as our parent is dead, where the system can do that.
/// It stays in force for what we become.
fn end_with_guard() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
}

/// Starts the command at the head of a process group of its own; the inner
/// error is why it cannot be started.
///
/// # Errors
/// If there can be no process.
pub(super) fn spawn(command: &[OsString]) -> io::Result<Result<Child, String>> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(own_program()?)
        .arg(SUBCOMMAND)
        .arg("--")
        .args(command)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .process_group(0)
        .spawn()?;
    let mut reason = String::new();
    // It ends when the process has become another one.
    ours.read_to_string(&mut reason)?;
    if reason.is_empty() {
        return Ok(Ok(child));
    }
    child.wait()?;
    Ok(Err(reason))
}

/// This program, also after a newer one was put in its place.
pub(super) fn own_program() -> io::Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => std::env::current_exe(),
    }
}
