//! A Flightdeck that starts workers.

use std::{
    fs,
    path::Path,
    process::Command as Shell,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::worker::{BINARY, Command, Pid};
use crate::common::{process::Process, service::LIMIT};

const NO_GRACE: (&str, &str) = ("FLIGHTDECK_SERVER__DRAIN_GRACE", "0s");

/// A running service with an upstream.
pub struct Deck {
    process: Process,
    _folder: TempDir,
}

impl Deck {
    /// Starts it with workers of this command.
    pub async fn start(command: &Command) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder, command);
        let variables = [NO_GRACE, ("FLIGHTDECK", BINARY)];
        let process = Process::start_with(&["--config", &file], &variables).await;
        Self { process, _folder: folder }
    }

    /// Starts it with these arguments, and this folder alone beside the system's
    /// in PATH.
    pub async fn start_with(arguments: &[&str], folder: &Path) -> Self {
        let path = path(folder);
        let variables = [NO_GRACE, ("FLIGHTDECK", BINARY), ("PATH", &path)];
        let process = Process::start_with(arguments, &variables).await;
        Self { process, _folder: tempfile::tempdir().expect("a folder") }
    }

    /// The next process that the log tells of.
    pub async fn next_worker(&mut self) -> Pid {
        Pid::of_line(&self.process.logs("pid ").await)
    }

    /// Waits for a line of the log.
    pub async fn log_says(&mut self, text: &str) -> String {
        self.process.logs(text).await
    }

    /// What its health service says.
    pub async fn health(&self) -> ServingStatus {
        let mut health = HealthClient::new(self.process.channel().await);
        let reply = health.check(HealthCheckRequest::default()).await.expect("a health service");
        reply.into_inner().status()
    }

    /// Waits until its health is this.
    pub async fn until_health(&self, status: ServingStatus) {
        let begun = Instant::now();
        while self.health().await != status {
            assert!(begun.elapsed() < LIMIT, "not {status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What Prometheus would scrape.
    pub async fn scrape(&self) -> String {
        self.process.scrape().await
    }

    /// Waits until a scrape has this in it.
    pub async fn until_metric(&self, text: &str) {
        let begun = Instant::now();
        loop {
            let metrics = self.scrape().await;
            if metrics.contains(text) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "no {text:?} in {metrics}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends it a signal.
    pub async fn signal(&self, name: &str) {
        self.process.signal(name).await;
    }

    /// Waits until it has ended, with this status.
    pub async fn ended_with(self, code: i32) {
        assert_eq!(self.process.ended().await.code(), Some(code));
    }
}

/// Starts it and sees it end for these reasons.
#[track_caller]
pub fn refused(command: &Command, reasons: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder, command);
    refused_with(&["--config", &file], folder.path(), reasons);
}

/// The same with these arguments, and this folder alone beside the system's in
/// PATH.
#[track_caller]
pub fn refused_with(arguments: &[&str], folder: &Path, reasons: &[&str]) {
    let output = Shell::new(BINARY)
        .args(["serve", "--port", "0", "--prometheus-port", "0", "--timeout", "20"])
        .args(arguments)
        .env("PATH", path(folder))
        .output()
        .expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let (_, error) = text.split_once("error: ").expect("an error");
    for reason in reasons {
        assert!(error.contains(reason), "no {reason:?} in {error}");
    }
}

fn path(folder: &Path) -> String {
    format!("{}:/usr/bin:/bin", folder.display())
}

fn file(folder: &TempDir, command: &Command) -> String {
    let file = folder.path().join("flightdeck.toml");
    fs::write(&file, command.toml()).expect("written");
    file.to_str().expect("a path").to_owned()
}
