//! What a worker is started with, and its process.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command as ShellCommand,
    time::{Duration, Instant},
};

use crate::common::service::LIMIT;

pub const BINARY: &str = env!("CARGO_BIN_EXE_flightdeck");

/// Flightdeck as a worker: `$PORTS` are its flags.
const SERVE: &str = "\"$FLIGHTDECK\" serve $PORTS";

/// Workers need no admin service, and are not to wait at their end.
const USUAL: &str = "environment = { PORTS = \"--port {port} --prometheus-port {metrics_port}\", \
                     FLIGHTDECK_ADMIN__ENABLED = \"false\", FLIGHTDECK_SERVER__DRAIN_GRACE = \"0s\" }";

/// The settings of an upstream `w`.
pub struct Command {
    command: String,
    settings: String,
}

impl Command {
    /// These words.
    pub fn of(words: &[&str]) -> Self {
        Self { command: format!("{words:?}"), settings: USUAL.to_owned() }
    }

    /// A script, which says `pid` and a number for each process that a test is
    /// to look at.
    pub fn shell(script: &str) -> Self {
        Self::of(&["sh", "-c", script, "{port}"])
    }

    /// A worker alone.
    pub fn direct() -> Self {
        Self::after("echo pid $$")
    }

    /// A worker that begins with this.
    pub fn after(script: &str) -> Self {
        Self::shell(&format!("{script}; exec {SERVE}"))
    }

    /// A worker under a process that does not hand signals on.
    pub fn wrapped() -> Self {
        Self::shell(&format!("{SERVE} & echo pid $!; wait"))
    }

    /// With more settings.
    pub fn settings(mut self, settings: &str) -> Self {
        self.settings = format!("{}\n{settings}", self.settings);
        self
    }

    /// With these settings and not the usual ones.
    pub fn only(mut self, settings: &str) -> Self {
        self.settings = settings.to_owned();
        self
    }

    /// The file.
    pub fn toml(&self) -> String {
        format!("[[upstream]]\nname = \"w\"\ncommand = {}\n{}\n", self.command, self.settings)
    }
}

/// Writes a program.
pub fn script(path: &Path, text: &str) {
    // In place at once: it may be looked for at any time.
    let hidden = path.with_extension("new");
    fs::write(&hidden, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::rename(&hidden, path).expect("in place");
}

/// A process that is none of our children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pid(u32);

impl Pid {
    /// The one that a line of the log tells.
    pub fn of_line(line: &str) -> Self {
        let (_, rest) = line.split_once("pid ").expect("a number");
        Self(rest.split_whitespace().next().and_then(|id| id.parse().ok()).expect("a number"))
    }

    /// Sends a signal: `KILL`, `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = ShellCommand::new("kill").args(["-s", name, &self.0.to_string()]).status();
        assert!(sent.expect("kill").success(), "SIG{name}");
    }

    fn parent(&self) -> Self {
        let parent = self.field("ppid=").expect("it runs");
        Self(parent.parse().expect("a number"))
    }

    /// The guard above it.
    pub fn guard(&self) -> Self {
        let mut process = self.clone();
        while !process.field("args=").expect("it runs").contains("guard-worker") {
            process = process.parent();
        }
        process
    }

    /// Whether there is no such process; a dead one that nobody has waited for
    /// does not count.
    pub fn is_gone(&self) -> bool {
        self.field("stat=").is_none_or(|state| state.starts_with('Z'))
    }

    /// Waits until it is gone.
    pub async fn until_gone(&self) {
        let begun = Instant::now();
        while !self.is_gone() {
            assert!(begun.elapsed() < LIMIT, "process {} is left", self.0);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn field(&self, name: &str) -> Option<String> {
        let output = ShellCommand::new("ps").args(["-o", name, "-p", &self.0.to_string()]).output();
        let text = String::from_utf8(output.expect("ps").stdout).expect("text");
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}
