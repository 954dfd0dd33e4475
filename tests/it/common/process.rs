//! The binary as a process of its own.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};
use tonic::transport::Channel;

use super::service::LIMIT;

const BINARY: &str = env!("CARGO_BIN_EXE_flightdeck");

/// A running `flightdeck serve`; killed if it is dropped.
pub struct Process {
    pub grpc: SocketAddr,
    pub metrics: SocketAddr,
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Process {
    /// Starts it on loopback with these settings, each a variable of the
    /// environment, and waits until it serves.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        Self::spawn(Command::new(BINARY), settings).await
    }

    /// Starts it with more arguments, and variables of the environment that need
    /// not be settings.
    pub async fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command.arg("serve").args(arguments);
        Self::spawn_serve(command, variables).await
    }

    /// Starts it with so many file descriptors.
    pub async fn start_with_files(files: usize, settings: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), BINARY]);
        Self::spawn(shell, settings).await
    }

    async fn spawn(mut command: Command, settings: &[(&str, &str)]) -> Self {
        command.arg("serve");
        Self::spawn_serve(command, settings).await
    }

    async fn spawn_serve(mut command: Command, settings: &[(&str, &str)]) -> Self {
        let mut child = command
            .args(["--port", "0", "--prometheus-port", "0"])
            .env("FLIGHTDECK_SERVER__HOST", "127.0.0.1")
            .env("FLIGHTDECK_METRICS__HOST", "127.0.0.1")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("a pipe");
        let mut log = BufReader::new(stderr).lines();
        let line = find(&mut log, "grpc=").await;
        Self { grpc: address(&line, "grpc="), metrics: address(&line, "prometheus="), child, log }
    }

    /// A connection to it.
    pub async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.grpc)).expect("an address");
        endpoint.connect().await.expect("a listening service")
    }

    /// Sends a signal: `TERM`, `INT`.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("a process that runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.expect("kill").success(), "SIG{name}");
    }

    /// Waits until its log has a line with this text, and gives the line.
    pub async fn logs(&mut self, text: &str) -> String {
        find(&mut self.log, text).await
    }

    /// What Prometheus would scrape.
    pub async fn scrape(&self) -> String {
        let response = reqwest::get(format!("http://{}/metrics", self.metrics)).await;
        response.expect("a listening endpoint").text().await.expect("text")
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = timeout(LIMIT, self.child.wait()).await;
        ended.expect("the process ends").expect("its status")
    }
}

fn address(line: &str, name: &str) -> SocketAddr {
    let (_, rest) = line.split_once(name).expect("an address");
    rest.split_whitespace().next().expect("an address").parse().expect("an address")
}

async fn find(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    let found = timeout(LIMIT, async {
        while let Some(line) = log.next_line().await.expect("text") {
            if line.contains(text) {
                return Some(line);
            }
        }
        None
    });
    found.await.expect("the log goes on").unwrap_or_else(|| panic!("no {text:?} in the log"))
}
