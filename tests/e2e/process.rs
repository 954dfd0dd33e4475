//! The service's process.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// The longest that anything is waited for.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A running service, killed when it is dropped.
pub struct Process {
    child: Child,
    pub port: u16,
}

impl Process {
    /// Starts the service and waits until it is SERVING; 0 is any port.
    pub async fn start(backend: &str, port: u16) -> Self {
        Self::start_with(backend, port, &[]).await
    }

    /// As [`Process::start`], with settings in its environment.
    pub async fn start_with(backend: &str, port: u16, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(executable())
            .args(["serve", "--port", &port.to_string(), "--prometheus-port", "0"])
            .env_clear()
            .env("HTTP_JOBS_URL", backend)
            .env("FLIGHTDECK_SERVER__HOST", "127.0.0.1")
            .env("FLIGHTDECK_METRICS__HOST", "127.0.0.1")
            // A line for each of thousands of tasks helps nobody.
            .env("RUST_LOG", "warn,flightdeck::cli=info")
            .env("NO_COLOR", "1")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let port = port_of(&mut child);
        let process = Self { child, port };
        let serving = tokio::time::timeout(LIMIT, process.until_serving());
        serving.await.expect("it is SERVING in time");
        process
    }

    /// Ends it without a word, as SIGKILL does.
    pub fn kill(mut self) {
        self.end();
    }

    /// A connection that is made anew when it breaks.
    pub fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port));
        endpoint.expect("a URI").connect_lazy()
    }

    async fn until_serving(&self) {
        let mut health = HealthClient::new(self.channel());
        loop {
            let answer = health.check(HealthCheckRequest::default()).await;
            if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn end(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The example beside this test's own executable.
fn executable() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let example = profile.join("examples/http_jobs");
    assert!(
        example.exists(),
        "{} is missing: `cargo test` builds it, and so does `cargo build --example http_jobs`",
        example.display()
    );
    example
}

/// The port that the service says it listens on. What else it says goes on to
/// the output of the test.
fn port_of(child: &mut Child) -> u16 {
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("grpc=127.0.0.1:") {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                // Nobody listens to a second one.
                let _ = tell.send(digits.parse().expect("a port"));
            } else {
                eprintln!("{line}");
            }
        }
    });
    told.recv_timeout(LIMIT).expect("the service listens")
}
